//! Pictures on their way to a provider: as files of a form, inside a body, or by an address that an upload brings.
//!
//! In: the pictures of a shot. Out: values and parts of a request.
//! Never: a picture uploaded twice while the provider still has it; a name that two pictures could share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use reqwest::multipart::Part;

use super::protocol::Files;
use crate::provider::{InputPicture, Shot};
use crate::types::{Digest, Failure, FailureClass, InputRole};

/// Most bytes of a decoded picture, as large as the largest answer allows.
const MOST: usize = super::client::LARGE;

/// Pictures of a shot by what they are to the request.
pub(super) struct Arranged<'a> {
    pub(super) image: Option<&'a InputPicture>,
    pub(super) references: Vec<&'a InputPicture>,
    pub(super) mask: Option<&'a InputPicture>,
}

impl<'a> Arranged<'a> {
    pub(super) fn of(shot: &'a Shot) -> Self {
        let role = |wanted: InputRole| shot.inputs.iter().find(|input| input.role == wanted);
        let mut references: Vec<(u32, &InputPicture)> = Vec::new();
        for input in &shot.inputs {
            if let InputRole::Reference(index) = input.role {
                references.push((index, input));
            }
        }
        references.sort_by_key(|(index, _)| *index);
        Self { image: role(InputRole::Image), references: references.into_iter().map(|(_, input)| input).collect(), mask: role(InputRole::Mask) }
    }

    /// Returns the pictures that a slot or the files of a form stand for.
    pub(super) fn which(&self, files: Files) -> Vec<&'a InputPicture> {
        match files {
            Files::Pictures => self.image.into_iter().chain(self.references.iter().copied()).collect(),
            Files::Image | Files::Picture => self.image.into_iter().collect(),
            Files::References => self.references.clone(),
            Files::Mask => self.mask.into_iter().collect(),
        }
    }
}

/// Returns a name that says what the bytes are: providers overwrite what has the same name.
pub(super) fn file_name(picture: &InputPicture) -> String {
    format!("{}.{}", picture.blob.digest, picture.info.format.extension())
}

/// Returns the media type of a picture.
pub(super) fn media_type(picture: &InputPicture) -> String {
    format!("image/{}", picture.info.format.as_str())
}

/// Returns a picture as a file of a form.
pub(super) fn part(picture: &InputPicture, bytes: Vec<u8>) -> Result<Part, Failure> {
    let wrong = |error: reqwest::Error| Failure::new(FailureClass::Local, "form", error.to_string());
    Part::bytes(bytes).file_name(file_name(picture)).mime_str(&media_type(picture)).map_err(wrong)
}

/// Returns a picture as base64, bare or as a `data:` address.
pub(super) fn inlined(picture: &InputPicture, bytes: &[u8], as_address: bool) -> String {
    let text = STANDARD.encode(bytes);
    if as_address { format!("data:{};base64,{text}", media_type(picture)) } else { text }
}

/// Reads base64, bare or as a `data:` address, with or without padding.
pub(super) fn decoded(text: &str) -> Result<Vec<u8>, String> {
    let bare = match text.strip_prefix("data:") {
        Some(rest) => rest.split_once(";base64,").map(|(_, bare)| bare).ok_or("it is a `data:` address without base64")?,
        None => text,
    };
    if bare.is_empty() {
        return Err("it is empty".to_owned());
    }
    if bare.len() / 4 * 3 > MOST {
        return Err(format!("it is larger than {} MB", MOST >> 20));
    }
    let bare = bare.trim_end_matches('=');
    STANDARD_NO_PAD.decode(bare).map_err(|error| format!("it is no base64: {error}"))
}

/// Addresses of pictures that a provider has, for as long as it keeps them. In memory: a later run uploads again, for nothing.
#[derive(Default)]
pub(super) struct Uploads(Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<Option<Kept>>>>>);

/// A picture at the provider's.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) url: String,
    until: Instant,
}

impl Kept {
    /// Returns an address that is used for five sixths of the time that the provider keeps it: a request must still find the picture.
    pub(super) fn new(url: String, keep: Duration) -> Self {
        Self { url, until: Instant::now() + keep / 6 * 5 }
    }

    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }
}

impl Uploads {
    /// Returns the place of a picture; who holds its lock uploads, the others wait and find the address.
    pub(super) fn place(&self, digest: Digest) -> Arc<tokio::sync::Mutex<Option<Kept>>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(digest).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_and_without_wrapping_and_nothing_else_is() {
        for text in ["aGVsbG8=", "aGVsbG8", "data:image/png;base64,aGVsbG8="] {
            assert_eq!(decoded(text).as_deref(), Ok(&b"hello"[..]), "{text}");
        }
        for text in ["", "data:image/png;base64,", "data:text/plain,hello", "aGV sbG8=", "<html>", "aGVsbG8\u{0}"] {
            assert!(decoded(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_not_used_up_to_the_last_moment() {
        assert!(Kept::new(String::new(), Duration::from_secs(3600)).is_fresh());
        assert!(!Kept::new(String::new(), Duration::ZERO).is_fresh());
    }
}
