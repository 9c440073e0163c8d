"""An openai-whisper checkpoint that always hears one chosen sentence: 7 MB, most of it OpenAI's vocabulary.

Made as `canned_whisper` is: weights set by hand, so that each step of the decoder leads to its own token. Here input
and output of the decoder share one matrix, so what it sees at a step holds some of the token before, too little to
matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.canned_whisper import (
    AUDIO_STEPS,
    FIRST_STEP,
    MELS,
    SEED,
    SHARPNESS,
    TEXT_STEPS,
    WIDTH,
    WORD_STEPS,
    Canned,
    vectors,
)

ENGLISH_VOCABULARY = 51864


def make_openai_checkpoint(file: Path, canned: Canned) -> Path:
    """Write the checkpoint and return its file. Raises ValueError when a token comes twice."""
    import torch  # noqa: PLC0415
    from whisper.model import ModelDimensions, Whisper  # noqa: PLC0415

    sizes = ModelDimensions(
        *(MELS, AUDIO_STEPS, WIDTH, 1, 1),
        *(ENGLISH_VOCABULARY, TEXT_STEPS, WIDTH, 1, 1),
    )
    model = Whisper(sizes)
    weights = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    for name, tensor in weights.items():
        if name.endswith(("ln.weight", "ln_post.weight")):
            tensor.fill_(1.0)
    positions, places = vectors(TEXT_STEPS, SEED), vectors(AUDIO_STEPS // WORD_STEPS, SEED + 1)
    weights["encoder.positional_embedding"] = torch.from_numpy(np.repeat(places, WORD_STEPS, axis=0))
    weights["decoder.positional_embedding"] = torch.from_numpy(positions)
    _score(weights["decoder.token_embedding.weight"], positions, canned)
    looks = SHARPNESS / WIDTH * places.T @ positions[FIRST_STEP : FIRST_STEP + len(places)]
    weights["decoder.blocks.0.cross_attn.query.weight"] = torch.from_numpy(looks)
    weights["decoder.blocks.0.cross_attn.key.weight"] = torch.eye(WIDTH)
    halves = {name: tensor.half() for name, tensor in weights.items()}
    torch.save({"dims": vars(sizes), "model_state_dict": halves}, file)
    return file


def _score(embedding: Any, positions: Any, canned: Canned) -> None:
    """Let each step score its token."""
    import torch  # noqa: PLC0415
    from whisper.tokenizer import get_tokenizer  # noqa: PLC0415

    tokenizer = get_tokenizer(multilingual=False)
    tokens = [*tokenizer.encode(f" {canned.text}"), tokenizer.eot]
    if len(set(tokens)) != len(tokens):
        raise ValueError("the sentence has a token twice")
    for step, token in enumerate(tokens, FIRST_STEP):
        embedding[token] += torch.from_numpy(positions[step]) * canned.certainty
    if canned.no_speech:
        embedding[tokenizer.no_speech] += torch.from_numpy(positions[0]) * canned.certainty
