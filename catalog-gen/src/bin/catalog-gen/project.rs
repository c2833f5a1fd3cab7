//! The folder of the data crate: reading and replacing its files.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use bedrock_catalog_data::Catalog;
use bedrock_catalog_gen::Baked;
use bedrock_catalog_recording::{LARGEST_JSON, catalog_from_json, read_bounded};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The folder of the data crate in this project.
const DATA: &str = "catalog-data";

/// The folder of the data crate: the given one, else that of the project around the current folder.
pub(crate) fn folder(given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(folder) => Ok(folder.to_owned()),
        None => committed().ok_or_else(|| {
            format!("no `{DATA}` folder here or above; say where with --out DIR").into()
        }),
    }
}

/// The folder of the data crate of the project around the current folder.
pub(crate) fn committed() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let candidates = here.ancestors().map(|folder| folder.join(DATA));
    candidates
        .into_iter()
        .find(|folder| folder.join("Cargo.toml").is_file())
}

/// The catalog of a catalog.json.
pub(crate) fn catalog(path: &Path) -> Result<Catalog> {
    let json = read_bounded(path, LARGEST_JSON)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let catalog = catalog_from_json(&json);
    Ok(catalog.map_err(|error| format!("{}: {error}", path.display()))?)
}

/// The present bytes of a baked file; empty if it does not exist.
pub(crate) fn present(folder: &Path, file: &str) -> Result<Vec<u8>> {
    let path = folder.join(file);
    match read_bounded(&path, LARGEST_JSON) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("cannot read {}: {error}", path.display()).into()),
    }
}

/// The files that differ from the baked ones.
pub(crate) fn differing<'b>(folder: &Path, baked: &'b Baked) -> Result<Vec<&'b str>> {
    let mut differing = Vec::new();
    for (&file, text) in &baked.files {
        if present(folder, file)? != text.as_bytes() {
            differing.push(file);
        }
    }
    Ok(differing)
}

/// Prints to stdout. A closed pipe is no failure.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

/// Prints a line with [`print()`].
#[macro_export]
macro_rules! print_line {
    ($($arg:tt)*) => {
        $crate::project::print(&format!("{}\n", format_args!($($arg)*)))?
    };
}

/// Replaces files, each atomically, and catalog.json, the source of the others, last.
pub(crate) fn write(folder: &Path, baked: &Baked, files: &[&str]) -> Result<()> {
    let (source, made): (Vec<&str>, Vec<&str>) = files
        .iter()
        .partition(|file| file.ends_with("catalog.json"));
    for file in made.into_iter().chain(source) {
        let path = folder.join(file);
        let text = baked
            .files
            .get(file)
            .map(String::as_str)
            .unwrap_or_default();
        write_one(&path, text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn write_one(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".catalog-gen-")
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    readable_by_all(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

/// Temporary files are readable by their owner only; committed files by everyone.
#[cfg(unix)]
fn readable_by_all(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &fs::File) -> std::io::Result<()> {
    Ok(())
}
