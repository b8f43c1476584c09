"""A model that a provider serves, asked by the OpenAI-compatible API of chat completions.

A prompt's text is the request itself: the provider renders it. Nothing but the provider's own model
is taken for an answer: one that is no longer served is said to be so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from mimic.api import Api, RefusedError, read_key
from mimic.respondents.api_settings import ApiSettings
from mimic.respondents.base import Prompt, prompt_seed

AT_ONCE = 8


class NotServedError(Exception):
    """The provider serves no such model, any more or to this key; in the provider's words."""


class ApiRespondent:
    """Answers requests by the API, several at a time.

    Parameters
    ----------
    source
        Provider and model.
    max_tokens
        Longest answer, in the provider's tokens.
    temperature, top_p, seed
        As for a local model; the provider decides how far a seed holds.
    """

    def __init__(
        self,
        source: ApiSettings,
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.source = source
        self.max_tokens, self.temperature, self.top_p = max_tokens, temperature, top_p
        self.seed = seed

    def answers(self, prompts: Sequence[Prompt]) -> Iterator[dict[int, str]]:
        """Answer each prompt once, in the order in which answers come.

        An answer without any text (of a provider's filter, say) is empty.

        Yields
        ------
        dict
            One raw answer by the position of its prompt.

        Raises
        ------
        NotServedError
            If there is no such model.
        ValueError
            If there is no key, it is refused, or the API can't be used.
        """
        source = self.source
        needed = f"{source.id} is served by {source.base_url}, which needs a key there"
        key = read_key(source.key_variable, needed=needed)
        api = Api(source.base_url, key=key)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            positions = {
                pool.submit(self._answer, prompt, api, key): position
                for position, prompt in enumerate(prompts)
            }
            try:
                for done in as_completed(positions):
                    yield {positions[done]: done.result()}
            finally:
                for waiting in positions:
                    waiting.cancel()

    def _answer(self, prompt: Prompt, api: Api, key: str) -> str:
        values: dict[str, Any] = {
            "model": self.source.id,
            "messages": [{"role": "user", "content": prompt.text}],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
        }
        if self.temperature > 0:
            # Providers take 32 bits.
            seed = prompt_seed(self.seed, prompt) % 2**31
            values |= {"top_p": self.top_p, "seed": seed}
        try:
            return self._read(api.post("/chat/completions", values))
        except RefusedError as refused:
            if self._is_unknown(refused):
                words = refused.told.replace(key, "…") or str(refused)
                raise NotServedError(
                    f"{self.source.base_url} doesn't serve {self.source.id}: {words}"
                ) from None
            raise ValueError(
                f"{self.source.base_url} {refused}; check base_url and id of the model in "
                f"config/models.yaml, and the key in {self.source.key_variable}"
            ) from None

    def _is_unknown(self, refused: RefusedError) -> bool:
        """Whether the model is what isn't there; a wrong base_url gives a 404, too."""
        named = refused.status in (404, 410) and self.source.id in refused.told
        return refused.code == "model_not_found" or named

    def _read(self, body: bytes) -> str:
        source = self.source
        try:
            values = json.loads(body)
            content, model = values["choices"][0]["message"]["content"], values["model"]
        except (ValueError, LookupError, TypeError):
            raise ValueError(
                f"{source.base_url} answered something that is no chat completion: expected model, "
                "and choices with a message; check base_url of the model in config/models.yaml"
            ) from None
        if model != source.id:
            raise ValueError(
                f"{source.base_url} was asked for {source.id} and let {model!r} answer; a "
                "substitute isn't taken: name the model that is meant in config/models.yaml"
            )
        return "" if content is None else str(content)
