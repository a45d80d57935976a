"""The optimizer over all trained models: a learning rate each, one clipping, one schedule."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

from sysgraph_compiler import Program

from ..engines.sharding import is_divided, part_of
from ..support.device import moved
from ..support.errors import RunError
from .workers import Workers

Weights = dict[str, dict[str, nn.Parameter]]


class Optimization:
    """AdamW under accelerate, with one schedule over all steps of all rounds.

    So a round goes on where the one before stopped, and a warm-up comes once.

    Args:
        weights: the trained parameters by model and name.
    """

    def __init__(self, program: Program, weights: Weights, workers: Workers) -> None:
        fit = program.fit
        self._workers, self._weights, self._max_norm = workers, weights, fit.max_grad_norm
        groups = [
            {
                "params": list(parameters.values()),
                "lr": program.models[model].step_size or fit.learning_rate,
                # By itself torch takes divided weights one by one.
                "foreach": True if any(map(is_divided, parameters.values())) else None,
            }
            for model, parameters in weights.items()
        ]
        self._adam = torch.optim.AdamW(groups, weight_decay=fit.weight_decay)
        self._optimizer = workers.accelerator.prepare(self._adam)
        name = "constant_with_warmup" if fit.lr_scheduler == "constant" else fit.lr_scheduler
        steps = fit.steps * max(1, fit.rounds)
        self._schedule: LambdaLR = get_scheduler(name, self._adam, fit.warmup_steps, steps)
        self._rates = self._schedule.get_last_lr()  # of the last step

    def step(self, loss: Tensor) -> dict[str, Tensor]:
        """Steps on the gradients that were accumulated.

        Args:
            loss: the step's loss, summed over processes; scalar.

        Returns:
            Gradient norms before clipping: `grad_norm` over all models, `grad_norm/MODEL` each.

        Raises:
            RunError: the loss or a gradient is not finite; no weight was changed.
        """
        everything = [p for parameters in self._weights.values() for p in parameters.values()]
        self._workers.sum_gradients(everything)
        self._workers.accelerator.unscale_gradients(self._optimizer)
        by_model = {
            model: moved(self._norm(parameters), loss.device)
            for model, parameters in self._weights.items()
        }
        norms = {f"grad_norm/{model}": norm for model, norm in by_model.items()}
        total = torch.stack(list(norms.values())).norm()
        # fp16's loss scale makes gradients overflow by design: then the scaler skips the step.
        finite = loss.isfinite() & (
            total.isfinite() | (self._workers.accelerator.scaler is not None)
        )
        if not finite:
            each = ", ".join(f"{model} {norm.item():.4g}" for model, norm in by_model.items())
            raise RunError(f"loss {loss.item():.4g}, gradient norms {each}")
        if self._max_norm is not None:
            whole = [p for p in everything if not is_divided(p)]
            nn.utils.clip_grads_with_norm_(whole, self._max_norm, total)
            factor = (self._max_norm / (total + 1e-6)).clamp(max=1.0)
            for p in everything:
                if is_divided(p) and p.grad is not None:
                    part = part_of(p.grad)
                    part.mul_(factor.to(part.device))
        self._rates = self._schedule.get_last_lr()
        self._optimizer.step()
        if not self._optimizer.step_was_skipped:
            self._schedule.step()
        self._optimizer.zero_grad()
        return {"grad_norm": total, **norms}

    def _norm(self, parameters: Mapping[str, nn.Parameter]) -> Tensor:
        """Of one model's gradient, in all processes."""
        gradients = [p.grad for p in parameters.values() if p.grad is not None]
        if not any(map(is_divided, gradients)):
            return nn.utils.get_total_norm(gradients)
        parts = nn.utils.get_total_norm([part_of(g) for g in gradients])
        return self._workers.sum(parts.to(self._workers.device).square()).sqrt()

    def learning_rates(self) -> dict[str, float]:
        """The last step's: `learning_rate` of the first model and `learning_rate/MODEL` of each."""
        each = {f"learning_rate/{m}": r for m, r in zip(self._weights, self._rates, strict=True)}
        return {"learning_rate": self._rates[0], **each}

    def state(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, object]]:
        """Tensors by model and `parameter/moment`, and JSON: enough to go on as if not stopped."""
        tensors: dict[str, dict[str, Tensor]] = {}
        for model, parameters in self._weights.items():
            tensors[model] = {
                f"{name}/{moment}": value
                for name, parameter in parameters.items()
                for moment, value in self._adam.state[parameter].items()
            }
        scaler = self._workers.accelerator.scaler
        return tensors, {
            "schedule_step": self._schedule.last_epoch,
            "scaler": scaler.state_dict() if scaler is not None else None,
        }

    def load(self, tensors: Mapping[str, Mapping[str, Tensor]], info: Mapping[str, object]) -> None:
        """Goes on from what `state` returned."""
        for model, parameters in self._weights.items():
            for name, parameter in parameters.items():
                moments = {
                    key.removeprefix(f"{name}/"): value.to(
                        "cpu" if key.endswith("/step") else parameter.device
                    )
                    for key, value in tensors.get(model, {}).items()
                    if key.rpartition("/")[0] == name
                }
                if moments:
                    self._adam.state[parameter] = moments
        scaler = self._workers.accelerator.scaler
        if scaler is not None and isinstance(info["scaler"], dict):
            scaler.load_state_dict(info["scaler"])
        step = info["schedule_step"]
        assert isinstance(step, int)
        self._schedule.last_epoch = step
        rates = [
            base * fn(step)
            for base, fn in zip(self._schedule.base_lrs, self._schedule.lr_lambdas, strict=True)
        ]
        for group, rate in zip(self._adam.param_groups, rates, strict=True):
            group["lr"] = rate
        self._schedule._last_lr = rates
