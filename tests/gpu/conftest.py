"""The table that is printed when all was measured."""

import pytest
from gpu_figures import HEADER

LINES = pytest.StashKey[list[str]]()


def pytest_configure(config):
    config.stash[LINES] = []


@pytest.fixture
def table(request):
    """The lines of the table so far."""
    return request.config.stash[LINES]


def pytest_terminal_summary(terminalreporter, config):
    if lines := config.stash[LINES]:
        terminalreporter.section("SmolLM2-135M, LoRA of rank 16 on all linear layers")
        for line in [HEADER, *lines]:
            terminalreporter.write_line(line)
