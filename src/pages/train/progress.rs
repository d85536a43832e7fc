//! A run while it trains: what can be done with it, its curves, its numbers.

use egui::{Align, Layout, Ui, vec2};
use models::StagePlan;
use training::StopReason;

use crate::command::Command;
use crate::pages::Shell;
use crate::run::{Record, Run, StageProgress};
use crate::theme::{self, caption, palette};
use crate::widgets::bars::progress;
use crate::widgets::button::{Weight, button_if};
use crate::widgets::icon::Icon;
use crate::widgets::plot::{Axes, Curve, curves};
use crate::widgets::tile::{attributes, legend, pair, remark, stat};
use crate::wording::{count, duration, grouped, percent, remaining, without_path};

/// What happens before the first stage.
pub fn waiting_ui(ui: &mut Ui, record: &Record) {
    ui.add_space(theme::GAP_LARGE);
    if let Some(crate::run::End::Failed(message)) = &record.end {
        remark(ui, Icon::Warning, palette(ui).danger, message);
        return;
    }
    theme::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let (doing, share) = record.doing();
        ui.label(theme::group_title(match &record.preparing {
            Some(_) => "Preparing the clips",
            None => "Getting ready",
        }));
        let width = ui.available_width();
        progress(ui, share, width, "Preparation");
        let left = record.remaining_secs.map(|secs| format!(" · {}", remaining(secs))).unwrap_or_default();
        ui.label(caption(format!("{doing}{left}")));
        ui.label(caption("Faces are cropped and sound is analysed once; later runs find the result in the cache."));
    });
}

/// Pause, stop, abort.
pub fn controls_ui(ui: &mut Ui, shell: &mut Shell<'_>, record: &Record) {
    let stopping = shell
        .state
        .training
        .as_ref()
        .and_then(|(_, id)| shell.state.jobs.iter().find(|job| job.id == *id))
        .is_some_and(|job| job.cancelled)
        .then_some("It stops at its next step");
    if button_if(ui, Some(Icon::Close), "Abort", Weight::Danger, stopping)
        .on_hover_text("Stop now; what was saved stays and the run can be resumed")
        .clicked()
    {
        shell.ask(Command::Abort);
    }
    if button_if(ui, Some(Icon::Stop), "Stop and keep best", Weight::Plain, stopping)
        .on_hover_text("Stop now, keep the best epoch and evaluate it")
        .clicked()
    {
        shell.ask(Command::StopAndKeep);
    }
    if record.paused {
        if button_if(ui, Some(Icon::Play), "Continue", Weight::Plain, stopping).clicked() {
            shell.ask(Command::Continue);
        }
    } else if button_if(ui, Some(Icon::Pause), "Pause", Weight::Plain, stopping).clicked() {
        shell.ask(Command::Pause);
    }
}

/// The numbers of a stage and of the run.
pub fn numbers_ui(ui: &mut Ui, shell: &mut Shell<'_>, run: &Run, stage: usize) {
    let record = &run.record;
    ui.spacing_mut().item_spacing.y = 6.0;
    let (doing, share) = record.doing();
    if shell.state.is_training(&run.name) {
        ui.label(theme::group_title(if record.paused { "Paused" } else { "Now" }));
        ui.add(egui::Label::new(crate::wording::capital(&doing)).wrap());
        let width = ui.available_width();
        progress(ui, share, width, "Stage");
        if let Some(secs) = record.remaining_secs {
            ui.label(caption(format!("At most {}", remaining(secs))));
        }
    } else {
        ui.label(theme::group_title(shell.state.status_of(run)));
    }
    if let Some(report) = &record.report {
        ui.add_space(theme::GAP);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 28.0;
            stat(ui, &percent(report.scores.war), "WAR, test");
            stat(ui, &percent(report.scores.uar), "UAR, test");
        });
        attributes(ui, &report.attributes);
    }
    if let (Some(plan), Some(progress)) = (record.stages.get(stage), record.progress.get(stage)) {
        ui.add_space(theme::GAP);
        ui.label(theme::group_title(crate::wording::capital(&plan.name)));
        if let Some(last) = progress.epochs.last() {
            pair(ui, "Epoch", &format!("{} of {}", progress.epochs.len(), plan.n_epochs));
            pair(ui, "Learning rate", &format!("{:.2e}", last.learning_rate));
            pair(ui, "Training loss", &format!("{:.4}", last.train_loss));
            pair(ui, "Validation loss", &format!("{:.4}", last.val_loss));
            pair(ui, "Training WAR", &percent(last.train_war));
            pair(ui, "Validation WAR", &percent(last.val_war));
            pair(ui, "Validation UAR", &percent(last.val_uar));
            if let Some(best) = progress.epochs.iter().rposition(|epoch| epoch.is_best) {
                pair(ui, "Best epoch", &(best + 1).to_string());
            }
            pair(ui, "Time per epoch", &format!("{:.1} s", last.secs));
        } else {
            ui.label(caption("No epoch is finished yet."));
        }
        if let Some((reason, best_epoch)) = progress.finished {
            let why = match reason {
                StopReason::Epochs => "all epochs are done",
                StopReason::LearningRate => "the learning rate became small",
                StopReason::TrainAccuracy => "the training clips are learned",
                StopReason::Asked => "you asked for it",
            };
            ui.add(egui::Label::new(caption(format!("Over because {why}; epoch {} was kept.", best_epoch + 1))).wrap());
        }
    }
    ui.add_space(theme::GAP);
    ui.label(theme::group_title("Run"));
    if let Some(job) = &record.job {
        pair(ui, "Model", &format!("{} · {}", job.model().title(), job.preset));
        pair(ui, "Seed", &job.seed.to_string());
    }
    pair(ui, "Parameters", &grouped(record.n_parameters));
    pair(ui, "Training clips", &grouped(record.n_train));
    pair(ui, "Validation clips", &grouped(record.n_val));
    pair(ui, "Device", &record.device);
    let secs: f64 = record.progress.iter().flat_map(|stage| &stage.epochs).map(|epoch| epoch.secs).sum();
    pair(ui, "Time spent", &duration(secs));
    if !record.warnings.is_empty() {
        egui::CollapsingHeader::new(count(record.warnings.len(), "remark")).show(ui, |ui| {
            for (path, reason) in record.warnings.iter().take(100) {
                remark(ui, Icon::Warning, palette(ui).warning, without_path(reason, path));
                ui.add(egui::Label::new(caption(path.display().to_string())).truncate());
            }
        });
    }
}

/// Losses and accuracies of a stage.
pub fn stage_curves_ui(ui: &mut Ui, plan: &StagePlan, progress: &StageProgress) {
    ui.horizontal(|ui| {
        ui.label(theme::group_title(crate::wording::capital(&plan.name)));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            legend(ui, theme::series_color(2), "validation UAR");
            legend(ui, theme::series_color(1), "validation");
            legend(ui, theme::series_color(0), "training");
        });
    });
    let (losses, shares) = curves_of(progress);
    let height = (ui.available_height() - 8.0).clamp(180.0, 420.0);
    let width = ui.available_width();
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP_LARGE;
        let half = (width - theme::GAP_LARGE) / 2.0;
        for (id, series, axes) in [
            ("losses", losses, Axes { x: "Epoch", y: "Loss", shares: false, marks: &[] }),
            ("recalls", shares, Axes { x: "Epoch", y: "Recall", shares: true, marks: &[] }),
        ] {
            ui.allocate_ui(vec2(half, height), |ui| {
                ui.set_width(half);
                curves(ui, id, &series, &axes, height);
            });
        }
    });
}

/// The curves of a stage: losses, and recalls in 0..=1.
fn curves_of(progress: &StageProgress) -> (Vec<Curve>, Vec<Curve>) {
    let by_epoch = |read: &dyn Fn(&training::EpochRecord) -> f64| -> Vec<[f64; 2]> {
        progress.epochs.iter().enumerate().map(|(epoch, record)| [(epoch + 1) as f64, read(record)]).collect()
    };
    let curve = |name: &str, color: usize, points| Curve {
        name: name.to_owned(),
        color: theme::series_color(color),
        dashed: false,
        points,
    };
    let steps = Curve {
        name: "steps".into(),
        color: theme::series_color(0).gamma_multiply(0.35),
        dashed: false,
        points: progress.losses.clone(),
    };
    let losses = vec![
        steps,
        curve("training", 0, by_epoch(&|record| record.train_loss)),
        curve("validation", 1, by_epoch(&|record| record.val_loss)),
    ];
    let shares = vec![
        curve("training WAR", 0, by_epoch(&|record| record.train_war)),
        curve("validation WAR", 1, by_epoch(&|record| record.val_war)),
        curve("validation UAR", 2, by_epoch(&|record| record.val_uar)),
    ];
    (losses, shares)
}
