"""Where a step's time goes: what oneDNN and perf say, and who reads it."""

from __future__ import annotations

import os
import time

import pytest

from benchmarks import profile, samples

LINES = """\
onednn_verbose,info,oneDNN v3.5
onednn_verbose,primitive,info,template:operation,engine,primitive,implementation,prop_kind
dnnl_verbose,exec,cpu,convolution,jit:avx2,forward_training,src_f32,,alg:x,mb4_ic3oc8,0.5
onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx2,forward_training,src_f32,,alg:x,mb4_ic3oc8,1.5
onednn_verbose,primitive,create:cache_miss,cpu,convolution,jit:avx2,forward_training,,,mb4_ic3oc8,9.0
onednn_verbose,v1,primitive,exec,cpu,matmul,brg:avx2,undef,src_f32,,,8x8:8x8,0.25
[warning] somebody else's line
"""


def test_onednn_s_lines_are_read() -> None:
    seconds, counts = profile.calls(LINES.splitlines())
    first, second = seconds
    assert first == ("convolution", "forward_training", "jit:avx2", "mb4_ic3oc8")
    assert seconds[first] == pytest.approx(2e-3) and counts[first] == 2
    assert second.kind == "matmul" and seconds[second] == pytest.approx(0.25e-3)
    listed = [c._asdict() | {"step_s": took, "times": 1.0} for c, took in seconds.items()]
    found = {"backend": "torch", "version": "1", "step_s": 4e-3, "calls": listed, "samples": {}}
    assert "56% of it in oneDNN" in profile.lines(found)[0]


REPORT = """\
# Samples: 4K of event 'cpu-clock'
    24.00%  libgomp.so.1                                 [.] 0x000000000001de62      -      -
     4.00%  libgomp.so.1                                 [.] 0x000000000001e02a      -      -
    10.10%  libtorch_cpu.so    [.] at::parallel_for<at::(anonymous namespace)::adam_step_impl<float>(at::Tensor)>
     6.00%  [JIT] tid 4115                               [.] jit_brgemm_kernel_t.32
     5.00%  [JIT] tid 4115                               [.] jit_brgemm_kernel_t.4
     3.00%  [kernel.kallsyms]                            [k] clear_page_erms
     2.00%  libopenblas64_p-r0-0cf96a72.3.23.dev.so      [.] sgemm_kernel_HASWELL
     0.01%  python3.11                                   [.] rare
"""  # noqa: E501


def test_perf_s_report_is_read() -> None:
    found = samples.by_function(REPORT.splitlines())
    assert {name: round(share, 3) for name, share in found.items()} == {
        "gomp: (no name)": 0.28,
        "JIT: jit_brgemm_kernel_t": 0.11,
        "torch_cpu: adam_step_impl": 0.101,
        "kernel: clear_page_erms": 0.03,
        "openblas64_p: sgemm_kernel_HASWELL": 0.02,
    }
    assert list(found) == sorted(found, key=found.__getitem__, reverse=True)


def test_a_process_is_sampled() -> None:
    if why := samples.why_not():
        pytest.skip(why)
    with samples.sampling(os.getpid()) as found:
        end = time.monotonic() + 3  # perf takes a moment to begin
        while time.monotonic() < end:
            sum(i * i for i in range(10_000))
    assert sum(found.values()) > 0.5
