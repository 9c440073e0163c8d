"""A language model of a quarter of a megabyte that always gives one reply; real to llama.cpp, the same every time.

One layer whose weights are zero, so that the last token alone decides: the output matrix makes each word of the reply
lead to the next one, and the last one to the end. Any prompt can be read (bytes are tokens), and grammars work on it.
Run as a program it writes a file: `python -m tests.support.canned_gguf FILE "The reply"`. Needs the package `gguf`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np

WIDTH = 64
HEADS = 4
HIDDEN = 32
CONTEXT_TOKENS = 4096
BEGIN, END, ASSISTANT = 1, 2, 5
MARKS = (b"<unk>", b"<s>", b"</s>", b"<|system|>", b"<|user|>", b"<|assistant|>", b"<tool>")
"""The last one is none of llama.cpp's control tokens, but one that a model's makers have added."""
BYTES = 256
TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}<|assistant|>"
SURENESS = 0.5
"""How far the next word is ahead of all others."""


def write_canned_gguf(path: Path, reply: str) -> Path:
    """Write the model; return its path.   reply: its words differ from one another. Raises ValueError."""
    words = [word.replace(" ", "\u2581") for word in re.findall(r" ?[^ ]+", reply)]
    if len(set(words)) != len(words):
        raise ValueError("the words of a canned reply must differ from one another")
    tokens = [*MARKS, *(b"<0x%02X>" % byte for byte in range(BYTES)), *(word.encode() for word in words)]
    writer = gguf.GGUFWriter(str(path), "llama")
    _describe(writer, tokens)
    _add_tensors(writer, len(tokens), [ASSISTANT, *range(len(tokens) - len(words), len(tokens)), END])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: gguf.GGUFWriter, tokens: Sequence[bytes]) -> None:
    writer.add_name("canned")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    kinds = gguf.TokenType
    words = len(tokens) - len(MARKS) - BYTES
    writer.add_tokenizer_model("llama")
    writer.add_token_list(list(tokens))
    writer.add_token_scores([0.0] * (len(MARKS) + BYTES) + [-float(index) for index in range(words)])
    writer.add_token_types(
        [
            kinds.UNKNOWN,
            *[kinds.CONTROL] * (len(MARKS) - 2),
            kinds.USER_DEFINED,
            *[kinds.BYTE] * BYTES,
            *[kinds.NORMAL] * words,
        ]
    )
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def _add_tensors(writer: gguf.GGUFWriter, vocabulary: int, chain: Sequence[int]) -> None:
    """Add the weights.   chain: tokens, each of which leads to the next."""
    embedding = np.random.default_rng(11).standard_normal((vocabulary, WIDTH)).astype(np.float32)
    embedding /= np.sqrt((embedding**2).mean(1, keepdims=True))
    output = np.zeros((vocabulary, WIDTH), np.float32)
    for token, following in pairwise(chain):
        output[following] += embedding[token] * SURENESS
    ones = np.ones(WIDTH, np.float32)
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", output)
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", ones)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((WIDTH, WIDTH), np.float32))
    for name, shape in (("ffn_gate", (HIDDEN, WIDTH)), ("ffn_up", (HIDDEN, WIDTH)), ("ffn_down", (WIDTH, HIDDEN))):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float32))


if __name__ == "__main__":
    print(write_canned_gguf(Path(sys.argv[1]), sys.argv[2]))
