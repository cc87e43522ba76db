"""What this site has of its own: recipes, mathematics, languages."""
