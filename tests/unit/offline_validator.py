"""roc-validator without network: the JSON-LD context of RO-Crate 1.1 is put into its HTTP cache.

The context is cut to the terms that our crates use, so that a term beyond them is found, too.
"""

import io
import json
from pathlib import Path
from typing import Any

import requests
from requests.adapters import BaseAdapter
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "provenance-run-crate-0.5"
TYPES = (
    "ComputerLanguage ControlAction CreateAction CreativeWork Dataset HowTo HowToStep "
    "OrganizeAction Person SoftwareApplication SoftwareSourceCode"
)
PROPERTIES = (
    "about actionStatus author contentSize datePublished description encodingFormat endTime "
    "hasPart identifier instrument isBasedOn isPartOf license mainEntity mentions name object "
    "position programmingLanguage result softwareRequirements softwareVersion startTime step "
    "subjectOf url version workExample"
)
TERMS = {
    **{name: f"http://schema.org/{name}" for name in f"{TYPES} {PROPERTIES}".split()},
    "File": "http://schema.org/MediaObject",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
}


class _OnlyTheContext(BaseAdapter):
    """Stands in the place of the network."""

    def send(self, request: requests.PreparedRequest, **_options: Any) -> requests.Response:
        assert request.url == CONTEXT
        body = io.BytesIO(json.dumps({"@context": TERMS}).encode())
        response = requests.Response()
        response.status_code, response.url, response.request = 200, CONTEXT, request
        response.headers["Content-Type"] = "application/ld+json"
        response.raw = HTTPResponse(
            body=body, headers=response.headers, status=200, preload_content=False
        )
        return response

    def close(self) -> None:
        pass


def fill_cache(cache: Path) -> None:
    """Put the context into a cache of the validator's."""
    requester = HttpRequester.initialize_cache(cache_path=str(cache))
    requester.session.mount("https://", _OnlyTheContext())
    assert requester.get(CONTEXT).status_code == 200
    assert requester.has_cached(CONTEXT)


def issues_of(crate: Path, cache: Path) -> list[str]:
    """What a crate breaks of the profile's requirements, in the validator's words."""
    settings = ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier=PROFILE,
        requirement_severity=Severity.REQUIRED,
        cache_path=cache,
        offline=True,
    )
    result = services.validate(settings)
    issues = [str(issue.message) for issue in result.get_issues(Severity.REQUIRED)]
    assert result.passed(Severity.REQUIRED) == (not issues)
    assert result.executed_checks
    return issues
