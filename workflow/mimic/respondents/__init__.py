"""Respondents: whatever answers a form."""

# By the way of answering the modules whose code the bytes of an answer depend on, those that load a
# model and merge its adapter among them. An answer is kept as long as they stay the same, so they
# import little else.
ANSWERING_CODE = {
    "likelihood": ("compute", "respondents.likelihood"),
    "generation": ("compute", "respondents.generation"),
}
