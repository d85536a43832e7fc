//! Makes the tiny copies of the layouts of corpora that lie beside this file: `cargo run -p limbic-datasets --example
//! layouts`.

#[allow(unreachable_pub, reason = "the test of the layouts includes it, too")]
mod layouts;

use std::path::Path;

/// Writes the copies below `folder`.
fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets");
    for (path, content) in layouts::layouts() {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        std::fs::write(path, content)?;
    }
    Ok(())
}
