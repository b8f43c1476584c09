"""Gates: does the measuring measure? Respondents and simulations whose figures are known."""
