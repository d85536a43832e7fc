//! One step of training: forward, loss, gradients, Adam.

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor};
use models::{Batch, EmotionModel, Loss, ModelError, Outlook};

use crate::{Adam, Recipe};

/// Moves `model` along the gradient of its loss on a batch; what it returns is from before the move. `labels` `[batch]`.
pub fn train_step<M: EmotionModel>(
    model: &mut M,
    config: &M::Config,
    batch: &Batch,
    labels: Tensor<1, Int>,
    recipe: &Recipe,
    learning_rate: f64,
    adam: &mut Adam,
) -> Result<(Outlook, Loss), ModelError> {
    let outlook = model.forward(config, batch)?;
    let loss = model.loss(config, &outlook, labels);
    let grads = GradientsParams::from_grads(loss.total.backward(), model);
    *model = adam.step(recipe, learning_rate, model.clone(), grads);
    Ok((outlook, loss))
}
