"""What checks ganref rather than times it: killed runs, default runs, detectors, the labs."""
