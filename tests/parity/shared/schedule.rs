//! The learning rate of UMBEnet's training, epoch by epoch, and when it stops.

use training::{Plateau, Recipe, StopReason, StopRules};

use super::{Case, list, number, text};

/// UMBEnet §4.1: training ends above this accuracy.
const STOP_ACCURACY: f64 = 0.80;

pub fn schedules(case: &mut Case) {
    let traces = list(case.json(), "traces").to_vec();
    let rules = StopRules { train_accuracy: STOP_ACCURACY, ..StopRules::of(&Recipe::default()) };
    for trace in traces {
        let name = format!("{}, {}", text(&trace, "name"), text(&trace, "rule"));
        let mut plateau = Plateau::new(
            number(&trace, "initial"),
            number(&trace, "factor"),
            number(&trace, "patience") as usize,
            number(&trace, "threshold"),
        );
        let (mut rates, mut reason) = (Vec::new(), "epochs");
        for (epoch, loss) in list(&trace, "losses").iter().enumerate() {
            rates.push(plateau.learning_rate);
            plateau.step(loss.as_f64().unwrap_or(f64::NAN));
            let accuracy = trace["train_accuracy"][epoch].as_f64().unwrap_or(0.0);
            let stop = rules.reason(accuracy, plateau.learning_rate).filter(|_| trace["stop"] == true);
            if let Some(stop) = stop {
                reason = if stop == StopReason::TrainAccuracy { "accuracy" } else { "lr" };
                break;
            }
        }
        case.check(&format!("{name}: last epoch"), rates.len() as f64 - 1.0, number(&trace, "last_epoch"), 0.0, 0.0);
        assert_eq!(reason, text(&trace, "reason"), "{name}");
        let want = list(&trace, "lr").iter().map(|rate| rate.as_f64().unwrap()).chain([number(&trace, "final_lr")]);
        for (epoch, (got, want)) in rates.into_iter().chain([plateau.learning_rate]).zip(want).enumerate() {
            case.check(&format!("{name}: rate of epoch {epoch}"), got, want, 0.0, 1e-9);
        }
    }
}
