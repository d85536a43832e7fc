//! The system's dialogs for paths.

use std::sync::Arc;

use models::Published;

use super::Desk;
use crate::state::{DialogFor, Event};

/// Endings of files of weights.
pub const WEIGHT_FILES: [&str; 6] = ["pt", "pth", "bin", "ckpt", "safetensors", "gz"];

/// Lets the user choose a path.
pub fn choose(what: DialogFor, desk: &Desk) {
    let dialog = rfd::AsyncFileDialog::new();
    let chosen = match what {
        DialogFor::ImportFolder => block_on(dialog.set_title("Import a folder of clips").pick_folder()),
        DialogFor::MovedFolder => block_on(dialog.set_title("Where the clips are now").pick_folder()),
        DialogFor::ProjectFolder => block_on(dialog.set_title("Open a project or an empty folder").pick_folder()),
        DialogFor::LiveClip => block_on(
            dialog
                .set_title("Play a clip")
                .add_filter(
                    "Video and sound",
                    &["mp4", "avi", "mov", "mkv", "webm", "wav", "mp3", "flac", "m4a", "ogg"],
                )
                .add_filter("All files", &["*"])
                .pick_file(),
        ),
        DialogFor::Weights(key) => {
            let title = Published::with_key(key).map_or(key, |published| published.title);
            let dialog = dialog.set_title(format!("Choose the file of {title}"));
            block_on(dialog.add_filter("Weights", &WEIGHT_FILES).add_filter("All files", &["*"]).pick_file())
        }
        DialogFor::TrainedModel => {
            let dialog = dialog.set_title("Import a trained model");
            block_on(dialog.add_filter("Checkpoints", &WEIGHT_FILES).add_filter("All files", &["*"]).pick_file())
        }
    };
    // Nothing chosen: cancelled, or a system without dialogs, where the path field of the form does it.
    if let Some(chosen) = chosen {
        desk.tell(Event::Chosen { what, path: chosen.path().to_owned() });
    }
}

/// Waits for a future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
