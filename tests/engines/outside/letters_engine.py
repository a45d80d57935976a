"""The engine of `kind: letters`: scored, trained and sampled; it has no beam search."""

import hashlib

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sysgraph import Completion
from sysgraph.engines import Pass


class ClockEngine:
    """Sampled alone."""

    def __init__(self, models, *, device, seed):
        pass

    def sample(self, draws, *, batch_size=None):
        return [Completion("noon") for _ in draws]

    def refusal(self, draw):
        return None

    def room(self, model):
        return None


class LettersEngine:
    def __init__(self, models, *, device, seed):
        self.alphabets = {name: spec.alphabet for name, spec in models.items()}
        size = {name: len(letters) + 1 for name, letters in self.alphabets.items()}  # and an end
        self.reference = {n: torch.zeros(s, device=device) for n, s in size.items()}
        self.logits = {
            n: nn.Parameter(torch.zeros(s, device=device), requires_grad=not models[n].frozen)
            for n, s in size.items()
        }

    def problem(self, request):
        odd = set(request.completion.text) - set(self.alphabets[request.model])
        return f"{sorted(odd)} are no letters of {request.model}" if odd else None

    def warning(self, request):
        return None

    def length(self, request):
        return len(request.completion.text) + 1

    def passes(self, requests, *, reference, gradients=False):
        def run():
            return torch.stack([self._log_prob(request, reference) for request in requests])

        return [Pass(tuple(range(len(requests))), run)]

    def _log_prob(self, request, reference):
        table = (self.reference if reference else self.logits)[request.model].log_softmax(-1)
        letters = self.alphabets[request.model]
        ids = [*map(letters.index, request.completion.text), len(letters)]
        return table[ids].sum()

    @torch.no_grad()
    def sample(self, draws, *, batch_size=None):
        out = []
        for draw in draws:
            random = torch.Generator().manual_seed(draw.seed % 2**63)
            letters, text = self.alphabets[draw.model], ""
            odds = self.logits[draw.model].softmax(-1).cpu()
            while (k := int(torch.multinomial(odds, 1, generator=random))) < len(letters):
                text += letters[k]
            out.append(Completion(text))
        return out

    def refusal(self, draw):
        return None

    def room(self, model):
        return None

    def parameters(self, model):
        logits = self.logits[model]
        return {"logits": logits} if logits.requires_grad else {}

    def set_reference(self, model, weights):
        logits = self.logits[model]
        self.reference[model] = weights["logits"] if weights else torch.zeros_like(logits)

    def digest(self, model):
        return hashlib.sha256(self.alphabets[model].encode()).hexdigest()

    def save(self, model, folder):
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"logits": self.logits[model].detach().cpu()}, folder / "letters.safetensors")

    def load(self, model, folder):
        saved = load_file(folder / "letters.safetensors")
        with torch.no_grad():
            self.logits[model].copy_(saved["logits"])
