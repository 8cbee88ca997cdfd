//! Reading files named by an author, with limits; the only place of `spec` that touches the disk.
//!
//! In: a path. Out: bytes, or why not. Never: a FIFO, a device, more bytes than asked for.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// Reads whole files.
pub trait Files: Send + Sync {
    /// Returns the bytes of the regular file at `path`.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` for what is no regular file; `FileTooLarge` for more than `limit` bytes; whatever the system says.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// Returns the names in the folder `path`, for suggestions; empty when they cannot be told.
    fn names(&self, path: &Path) -> Vec<String> {
        let _ = path;
        Vec::new()
    }
}

/// The machine's disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskFiles;

/// Most names of a folder that are looked at for a suggestion.
const MAX_NAMES: usize = 1000;

impl Files for DiskFiles {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        // Asked before opening: opening a FIFO for reading waits for a writer.
        regular(&std::fs::metadata(path)?)?;
        let file = std::fs::File::open(path)?;
        let metadata = file.metadata()?;
        regular(&metadata)?;
        if metadata.len() > limit {
            return Err(too_large(limit));
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
    }

    fn names(&self, path: &Path) -> Vec<String> {
        let folder = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.take(MAX_NAMES).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }
}

fn regular(metadata: &std::fs::Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")) }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {} MB", limit / 1_000_000))
}

/// Files in memory: for tests, and for campaigns that come from elsewhere than the disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(BTreeMap<PathBuf, Vec<u8>>);

impl MemoryFiles {
    /// Starts without a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the files with one more.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.insert(plain(&path.into()), bytes.into());
        self
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(&plain(path)).ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes.clone()) }
    }

    fn names(&self, path: &Path) -> Vec<String> {
        let folder = plain(path);
        let inside = self.0.keys().filter(|file| file.parent() == Some(&folder));
        inside.filter_map(|file| Some(file.file_name()?.to_str()?.to_owned())).collect()
    }
}

/// Returns the path without `.` and with `a/..` taken away.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// Names that Windows keeps for devices, with or without an extension.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5",
    "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Most steps up (`..`) that a path may take from the campaign's folder: a shared folder of packshots stands near, `/etc` does not.
const MAX_STEPS_UP: usize = 4;

/// Checks the path of an input file as an author wrote it: relative, portable, not far up.
///
/// # Errors
/// Why it is refused, as the end of a sentence that begins with the path.
pub fn input_path(written: &str) -> Result<&Path, String> {
    let refuse = |why: &str| Err(why.to_owned());
    if written.trim().is_empty() {
        return refuse("is empty");
    }
    if written.contains(|any: char| any.is_control()) {
        return refuse("holds a control character");
    }
    if written.contains('\\') {
        return refuse("holds a backslash; write `/` between folders");
    }
    let drive = written.as_bytes().get(1) == Some(&b':') && written.starts_with(|first: char| first.is_ascii_alphabetic());
    if written.starts_with(['/', '~']) || drive {
        return refuse("is absolute; paths are relative to the campaign file, so that the campaign works on every machine");
    }
    if written.contains("://") {
        return refuse("is a web address; download the file and name it here");
    }
    let mut up = 0;
    for part in written.split('/') {
        let stem = part.split('.').next().unwrap_or(part).trim_end().to_ascii_lowercase();
        if part == ".." {
            up += 1;
        } else if DEVICES.contains(&stem.as_str()) {
            return Err(format!("holds `{part}`, which is a device on Windows"));
        } else if part.len() > 255 {
            return refuse("holds a name of more than 255 bytes");
        }
    }
    if up > MAX_STEPS_UP {
        return Err(format!("goes up more than {MAX_STEPS_UP} folders"));
    }
    Ok(Path::new(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_relative_portable_and_near() {
        for fine in ["data/skus.csv", "../shared/pack shot.png", "../../a.b/c", "./x.csv", "console.csv", "ünïcode.csv", "aux-1/x"] {
            assert!(input_path(fine).is_ok(), "{fine}");
        }
        let far = "../".repeat(5) + "etc/passwd";
        for wrong in [
            "",
            " ",
            "/etc/passwd",
            "~/x.csv",
            "C:\\x.csv",
            "C:/x.csv",
            "c:x.csv",
            "a\\b.csv",
            "a\0b",
            "a\nb",
            "nul",
            "NUL.txt",
            "data/CON/x.csv",
            "com1.csv",
            "https://example.com/x.csv",
            far.as_str(),
        ] {
            assert!(input_path(wrong).is_err(), "{wrong:?}");
        }
        assert!(input_path(&"a".repeat(300)).is_err());
    }

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("skus.csv");
        std::fs::write(&file, "sku\n").expect("written");
        assert_eq!(DiskFiles.read(&file, 4).expect("read"), b"sku\n");
        assert_eq!(DiskFiles.read(&file, 3).map_err(|error| error.kind()), Err(io::ErrorKind::FileTooLarge));
        assert_eq!(DiskFiles.read(folder.path(), 99).map_err(|error| error.kind()), Err(io::ErrorKind::InvalidInput));
        assert_eq!(DiskFiles.read(&folder.path().join("none"), 99).map_err(|error| error.kind()), Err(io::ErrorKind::NotFound));
        assert_eq!(DiskFiles.names(folder.path()), ["skus.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_devices_are_refused_without_waiting() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe.csv");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there");
        assert!(made.success());
        for path in [pipe.as_path(), Path::new("/dev/zero")] {
            assert_eq!(DiskFiles.read(path, 99).map_err(|error| error.kind()), Err(io::ErrorKind::InvalidInput), "{}", path.display());
        }
    }
}
