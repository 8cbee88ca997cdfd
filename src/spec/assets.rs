//! The picture files that a campaign names: what is in them, not what they are for.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::files::{Files, input_path};
use crate::types::{Digest, ImageInfo, Marks};

/// Largest picture file that is read, 64 MiB: a 4096 x 4096 PNG of 16 bits is about 48 MiB.
pub const MAX_ASSET_BYTES: u64 = 64 * 1024 * 1024;

/// A picture file as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Length in bytes.
    pub len: u64,
    /// What a probe found in it.
    pub info: ImageInfo,
    /// What it carries besides its pixels.
    pub marks: Marks,
}

/// Why a picture file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssetProblem {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// A folder, a FIFO, a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// The system refused to read it, or it is too large.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// Its bytes are not a picture of a known format.
    #[error("it is not a picture: {0}")]
    NotAnImage(String),
    /// The path itself is refused: absolute, too far up, not portable.
    #[error("the path {0}")]
    Escapes(String),
}

/// Looks into the bytes of a picture file.
pub type Probe<'a> = dyn Fn(&[u8]) -> Result<(ImageInfo, Marks), String> + 'a;

/// Reads each picture once, relative to the campaign's folder `base`; `probe` looks into the bytes.
pub fn read_assets(base: &Path, paths: &[Arc<str>], files: &dyn Files, probe: &Probe<'_>) -> BTreeMap<Arc<str>, Result<Asset, AssetProblem>> {
    let mut assets = BTreeMap::new();
    for path in paths {
        assets.entry(path.clone()).or_insert_with(|| read_asset(base, path, files, probe));
    }
    assets
}

fn read_asset(base: &Path, path: &str, files: &dyn Files, probe: &Probe<'_>) -> Result<Asset, AssetProblem> {
    let relative = input_path(path).map_err(AssetProblem::Escapes)?;
    let bytes = files.read(&base.join(relative), MAX_ASSET_BYTES).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => AssetProblem::Missing,
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => AssetProblem::NotRegular,
        _ => AssetProblem::Unreadable(error.to_string()),
    })?;
    let (info, marks) = probe(&bytes).map_err(AssetProblem::NotAnImage)?;
    Ok(Asset { digest: Digest::of(&bytes), len: bytes.len() as u64, info, marks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::MemoryFiles;
    use crate::types::{ImageFormat, PixelSize};

    #[test]
    fn each_picture_is_read_once_and_each_problem_has_its_name() {
        let files = MemoryFiles::new().with("shop/a.png", "picture").with("shared/b.png", "picture").with("shop/notes.txt", "words");
        let probe = |bytes: &[u8]| match bytes {
            b"picture" => {
                Ok((ImageInfo { format: ImageFormat::Png, size: PixelSize::new(2, 3), alpha: false }, Marks { c2pa: true, ..Marks::default() }))
            }
            _ => Err("unknown format".to_owned()),
        };
        let paths: Vec<Arc<str>> = ["a.png", "a.png", "../shared/b.png", "notes.txt", "none.png", "/etc/passwd"].into_iter().map(Arc::from).collect();
        let assets = read_assets(Path::new("shop"), &paths, &files, &probe);
        assert_eq!(assets.len(), 5);
        let (info, marks) = probe(b"picture").expect("a picture");
        let asset = Asset { digest: Digest::of(b"picture"), len: 7, info, marks };
        assert_eq!(assets["a.png"], Ok(asset));
        assert_eq!(assets["../shared/b.png"], Ok(asset));
        assert_eq!(assets["notes.txt"], Err(AssetProblem::NotAnImage("unknown format".to_owned())));
        assert_eq!(assets["none.png"], Err(AssetProblem::Missing));
        assert!(matches!(assets["/etc/passwd"], Err(AssetProblem::Escapes(_))));
    }
}
