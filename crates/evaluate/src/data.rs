//! Reading archives of recordings where they lie: `.tar.xz` files are unpacked in memory alone.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::Failed;

/// The most bytes that one file in an archive may have.
const MAX_ENTRY_BYTES: u64 = 64 << 20;

/// Calls `each` with the path and the contents of every file in a `.tar.xz` archive, in the archive's order.
pub(crate) fn for_each_file(
    archive: &Path,
    mut each: impl FnMut(&str, &str) -> Result<(), String>,
) -> Result<(), Failed> {
    let failed = |problem: String| Failed::Data { path: archive.to_owned(), problem };
    let file = File::open(archive).map_err(|e| failed(e.to_string()))?;
    let mut unpacked = Vec::new();
    lzma_rs::xz_decompress(&mut BufReader::new(file), &mut unpacked).map_err(|e| failed(format!("{e:?}")))?;
    let mut tar = tar::Archive::new(&*unpacked);
    for entry in tar.entries().map_err(|e| failed(e.to_string()))? {
        let mut entry = entry.map_err(|e| failed(e.to_string()))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(|e| failed(e.to_string()))?.to_string_lossy().into_owned();
        let mut text = String::new();
        let read = entry.by_ref().take(MAX_ENTRY_BYTES).read_to_string(&mut text);
        read.map_err(|e| failed(format!("{name}: {e}")))?;
        each(&name, &text).map_err(|problem| failed(format!("{name}: {problem}")))?;
    }
    Ok(())
}
