"""Makes the cross-encoders in this folder and computes their scores with transformers and torch.

Run it with torch, transformers and onnx installed: python make_models.py. The weights are random
(seeded), so the scores say nothing; they are what another program must compute as well.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

HERE = Path(__file__).parent
QUESTION = "How long must a password be?"
PASSAGES = (
    "Ducks live near ponds and lakes, and some of them dive.",
    "A password must have at least fourteen characters.",
    "Vacation is requested two weeks ahead.",
    "שלום עולם, הסיסמה חייבת להיות באורך של ארבעה עשר תווים.",
)
CORPUS = (*PASSAGES, QUESTION, "שלום עולם", "Ducks live near ponds.") * 3
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    # Far more than in training, so that random models tell texts apart.
    "initializer_range": 0.4,
}


def bert() -> tuple[Any, Any]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=64, num_labels=1, **SIZES
    )
    fast = BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=64)
    return BertForSequenceClassification(config).eval(), fast


def xlm_roberta() -> tuple[Any, Any]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=400, unk_token="<unk>", special_tokens=special)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")],
    )
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=98,
        type_vocab_size=1,
        num_labels=2,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        layer_norm_eps=1e-5,
        **SIZES,
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=96,
        bos_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        unk_token="<unk>",
        pad_token="<pad>",
    )
    return XLMRobertaForSequenceClassification(config).eval(), fast


def scores(model: Any, tokenizer: Any) -> list[float]:
    found = []
    for passage in PASSAGES:
        inputs = tokenizer(QUESTION, passage, return_tensors="pt")
        with torch.no_grad():
            logits = model(inputs["input_ids"], inputs["attention_mask"]).logits[0]
            if model.config.type_vocab_size > 1:
                logits = model(**inputs).logits[0]
        found.append(round(float(logits[0] if len(logits) == 1 else logits[1] - logits[0]), 6))
    return found


class Logits(torch.nn.Module):
    """The model with plain inputs and one output, as exports have them."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        return self.model(input_ids, attention_mask, token_type_ids).logits


def export(model: Any, tokenizer: Any, folder: Path) -> None:
    inputs = dict(tokenizer(QUESTION, PASSAGES[0], return_tensors="pt"))
    names = ("input_ids", "attention_mask", "token_type_ids")
    torch.onnx.export(
        Logits(model),
        tuple(inputs[name] for name in names),
        str(folder / "model.onnx"),
        input_names=list(names),
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names},
        opset_version=17,
        dynamo=False,
    )


def main() -> None:
    torch.manual_seed(7)
    expected = {}
    for name, make in (("bert", bert), ("xlm-roberta", xlm_roberta)):
        model, tokenizer = make()
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "model.safetensors").chmod(0o644)
        expected[name] = scores(model, tokenizer)
        if name == "bert":
            exported = HERE / "bert-onnx"
            shutil.rmtree(exported, ignore_errors=True)
            ignore = shutil.ignore_patterns("*.safetensors")
            shutil.copytree(folder, exported, ignore=ignore)
            export(model, tokenizer, exported)
    content = {"question": QUESTION, "passages": PASSAGES, "scores": expected}
    (HERE / "expected.json").write_text(
        json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
