"""The noise that a pipeline was trained with, from the configuration of its scheduler."""

from dataclasses import dataclass
from typing import Any, get_args

from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor

from sysgraph_schemas import Diffusion

from ...objectives.diffusion import Prediction
from ...support.errors import InputError


@dataclass(frozen=True)
class NoiseSchedule:
    """How much noise each timestep has, and what the model predicts of it."""

    alpha_bars: Tensor  # (T,) float32, CPU
    prediction: Prediction

    def __len__(self) -> int:
        return len(self.alpha_bars)


def noise_schedule(spec: Diffusion, config: Any) -> NoiseSchedule:
    """The training schedule.

    Args:
        spec: the model, for messages.
        config: of the pipeline's own scheduler, whichever that is.

    Raises:
        InputError: the scheduler does not add noise in discrete steps, or its model predicts
            something else than noise, velocity or sample.
    """
    prediction = config.get("prediction_type", "epsilon")
    if "beta_schedule" not in config or prediction not in get_args(Prediction):
        raise InputError(
            f"model id {spec.id!r} is not supported: its scheduler is a {config['_class_name']} "
            f"with prediction type {prediction!r}; wanted is one with a `beta_schedule` and one of "
            f"{', '.join(get_args(Prediction))}"
        )
    alpha_bars: Tensor = DDPMScheduler.from_config(config).alphas_cumprod
    if prediction == "epsilon" and not alpha_bars.min() > 0:
        raise InputError(
            f"model id {spec.id!r} predicts noise (epsilon), but its scheduler's last timestep is "
            "nothing else: with zero terminal signal a model must predict velocity or sample"
        )
    return NoiseSchedule(alpha_bars, prediction)


def sampler(spec: Diffusion, pipeline: Any) -> Any:
    """A fresh scheduler for sampling; they keep state from call to call.

    DDIM on the pipeline's noise schedule does not clip its latents and ends at the first timestep,
    unless the pipeline's configuration says so: DDIM's own defaults are for pixels.
    """
    config = pipeline.scheduler.config
    if spec.scheduler == "pipeline":
        return type(pipeline.scheduler).from_config(config)
    for_latents = {"clip_sample": False, "set_alpha_to_one": False}
    return DDIMScheduler.from_config(
        config, **{k: v for k, v in for_latents.items() if k not in config}
    )
