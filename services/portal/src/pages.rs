//! The built pages, read into memory once: what is not among them cannot be asked for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, Uri, header};

use crate::server::Shared;

/// The page that every address within the portal opens.
const INDEX: &str = "/index.html";

/// The files.
pub struct Pages {
    files: HashMap<String, (HeaderValue, Vec<u8>)>,
}

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// They are not built.
    #[error(
        "{}: there is no index.html. Build the pages first:\n  npm --prefix services/portal/web ci\n  \
         npm --prefix services/portal/web run build", .0.display()
    )]
    NotBuilt(PathBuf),
    /// They could not be built.
    #[error("the pages could not be built: npm {0} failed; Node.js 20 or newer with npm is needed")]
    Build(&'static str),
    /// A file could not be read.
    #[error("{}: {reason}", .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: std::io::ErrorKind,
    },
}

impl Pages {
    /// Reads a folder.
    ///
    /// # Errors
    /// [`PagesError`].
    pub fn read(folder: &Path) -> Result<Self, PagesError> {
        let mut files = HashMap::new();
        if !folder.join(&INDEX[1..]).is_file() {
            return Err(PagesError::NotBuilt(folder.to_owned()));
        }
        read_into(folder, "", &mut files)?;
        Ok(Self { files })
    }

    /// Builds the pages of the source tree where they are missing, which takes npm and a minute, once.
    ///
    /// # Errors
    /// [`PagesError::Build`].
    pub fn build(source: &Path) -> Result<(), PagesError> {
        if source.join("dist").join(&INDEX[1..]).is_file() {
            return Ok(());
        }
        eprintln!("Building the pages, once ...");
        for step in ["ci", "run build"] {
            // What npm prints goes to the log: the program's own output is its address.
            let mut npm = Command::new("npm");
            npm.args(step.split(' ')).current_dir(source).stdout(std::io::stderr());
            let built = npm.status().is_ok_and(|status| status.success());
            built.then_some(()).ok_or(PagesError::Build(step))?;
        }
        Ok(())
    }

    /// No pages: the API alone, for tests.
    pub fn none() -> Self {
        Self { files: HashMap::new() }
    }
}

fn read_into(
    folder: &Path,
    prefix: &str,
    files: &mut HashMap<String, (HeaderValue, Vec<u8>)>,
) -> Result<(), PagesError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| PagesError::Read { path, reason: error.kind() }
    };
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("{prefix}/{name}");
        if path.is_dir() {
            read_into(&path, &name, files)?;
        } else if let Some(kind) = kind_of(&path) {
            files.insert(name, (HeaderValue::from_static(kind), std::fs::read(&path).map_err(at(&path))?));
        }
    }
    Ok(())
}

fn kind_of(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "png" => "image/png",
        _ => return None,
    })
}

/// A file, or the page that finds its own way by the address.
pub(crate) async fn page(State(portal): State<Shared>, uri: Uri) -> Response {
    let files = &portal.pages.files;
    let is_file = uri.path().rsplit('/').next().is_some_and(|name| name.contains('.'));
    let name = if is_file { uri.path() } else { INDEX };
    let Some((kind, bytes)) = files.get(name) else { return StatusCode::NOT_FOUND.into_response() };
    // Names of assets carry their content's hash; the page that names them does not.
    let keep = if name.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers =
        [(header::CONTENT_TYPE, kind.clone()), (header::CACHE_CONTROL, HeaderValue::from_static(keep))];
    (headers, bytes.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_pages_says_how_to_build_them() {
        let folder = tempfile::tempdir().unwrap();
        let error = Pages::read(folder.path()).err().unwrap().to_string();
        assert!(error.contains("npm --prefix services/portal/web ci"), "{error}");
    }

    #[test]
    fn known_kinds_are_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("assets")).unwrap();
        for name in ["index.html", "assets/a.js", "assets/a.js.map", "notes.txt"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let mut names: Vec<String> = Pages::read(folder.path()).unwrap().files.into_keys().collect();
        names.sort();
        assert_eq!(names, ["/assets/a.js", "/index.html"]);
    }
}
