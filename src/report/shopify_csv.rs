//! Pictures for a Shopify shop: the columns of its product import that say which picture stands where.
//!
//! In: one [`ImageRow`] a picture. Out: CSV, the pictures of one product together, counted from 1. Never: a cell that a spreadsheet runs.

use std::io;

use indexmap::IndexMap;

use super::ReportError;
use super::spreadsheet::neutral;

/// Name of the file in messages.
const FILE: &str = "shopify.csv";

/// The columns; the import takes a file that has no others.
pub const COLUMNS: [&str; 4] = ["Handle", "Image Src", "Image Position", "Image Alt Text"];

/// One picture of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    /// The product, as the shop calls it.
    pub handle: String,
    /// Where the shop fetches the picture.
    pub src: String,
    /// What is in it, for those who cannot see it.
    pub alt: String,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShopifyDone {
    /// Products.
    pub products: usize,
    /// Pictures.
    pub pictures: usize,
    /// Cells that begin like a formula and got a `'` in front.
    pub marked: usize,
}

/// Writes the rows: products in the order in which they first come, pictures of each in their order.
///
/// # Errors
/// What the disk says.
pub fn shopify_csv(rows: &[ImageRow], to: &mut dyn io::Write) -> Result<ShopifyDone, ReportError> {
    let mut products: IndexMap<&str, Vec<&ImageRow>> = IndexMap::new();
    for row in rows {
        products.entry(&row.handle).or_default().push(row);
    }
    let mut done = ShopifyDone { products: products.len(), pictures: rows.len(), marked: 0 };
    let failed = |source| ReportError::Csv { file: FILE, source };
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(COLUMNS).map_err(failed)?;
    for (handle, pictures) in products {
        for (place, row) in pictures.into_iter().enumerate() {
            let [handle, src, alt] = [handle, &row.src, &row.alt].map(|cell| neutral(cell));
            done.marked += [(&handle, &*row.handle), (&src, &row.src), (&alt, &row.alt)].into_iter().filter(|(cell, was)| **cell != **was).count();
            writer.write_record([&*handle, &*src, &(place + 1).to_string(), &*alt]).map_err(failed)?;
        }
    }
    writer.flush().map_err(|source| ReportError::Io { file: FILE, source })?;
    Ok(done)
}

/// Returns a path as it stands in an address: `/` stays, everything but letters, digits and `-._~` becomes `%..`.
pub fn url_path(path: &str) -> String {
    escaped(path, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~'))
}

/// Returns an address in which only what an address may never hold is written as `%..`: spaces, quotes, letters beyond ASCII.
pub fn url(text: &str) -> String {
    escaped(text, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'))
}

fn escaped(text: &str, stays: impl Fn(u8) -> bool) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        if stays(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped += &format!("%{byte:02X}");
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(handle: &str, src: &str, alt: &str) -> ImageRow {
        ImageRow { handle: handle.to_owned(), src: src.to_owned(), alt: alt.to_owned() }
    }

    #[test]
    fn pictures_of_a_product_stand_together_and_are_counted() {
        let rows = [row("pot", "https://x/1", "Pot, front"), row("pan", "https://x/2", "=Pan"), row("pot", "https://x/3", "Pot; -side")];
        let mut text = Vec::new();
        let done = shopify_csv(&rows, &mut text).expect("memory takes all");
        assert_eq!(done, ShopifyDone { products: 2, pictures: 3, marked: 2 });
        let lines = [
            "Handle,Image Src,Image Position,Image Alt Text",
            "pot,https://x/1,1,\"Pot, front\"",
            "pot,https://x/3,2,Pot;' -side",
            "pan,https://x/2,1,'=Pan",
            "",
        ];
        assert_eq!(String::from_utf8(text).expect("text"), lines.join("\n"));
    }

    #[test]
    fn a_path_becomes_part_of_an_address() {
        assert_eq!(url_path("tee & pot/ü 100%#1.jpg"), "tee%20%26%20pot/%C3%BC%20100%25%231.jpg");
        assert_eq!(url("https://x.example/a b?v=1&w=%20"), "https://x.example/a%20b?v=1&w=%20");
    }

    proptest! {
        #[test]
        fn an_address_has_only_what_addresses_may_hold(path in any::<String>()) {
            prop_assert!(url_path(&path).bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>&+=;,'".contains(&byte)));
            let once = url(&path);
            prop_assert_eq!(url(&once), once.clone(), "what is an address stays as it is");
        }
    }
}
