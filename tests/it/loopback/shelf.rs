//! Finished pictures that wait at an address, as several providers hand them over.

use super::{Books, Received, Reply};

/// Pictures by number.
#[derive(Default)]
pub struct Shelf(Vec<Vec<u8>>);

impl Shelf {
    /// Puts a picture up and returns its address.
    pub fn put(&mut self, url: &str, picture: Vec<u8>) -> String {
        self.0.push(picture);
        format!("{url}/files/{}.png?sig=s%3A1", self.0.len() - 1)
    }

    /// Hands a picture out to whoever has its address; a key has no business there.
    pub fn take(&self, request: &Received, keys: &[&str], books: &mut Books) -> Option<Reply> {
        let number = request.path.strip_prefix("/files/")?.strip_suffix(".png")?;
        if let Some(header) = keys.iter().find(|header| request.header(header).is_some()) {
            books.violation(format!("the key went along to a picture, in {header}"));
        }
        let picture = number.parse::<usize>().ok().and_then(|number| self.0.get(number));
        Some(picture.map_or_else(|| Reply::status(404), |picture| Reply::bytes("image/png", picture.clone())))
    }
}
