//! What the columns of an export are: who it comes from, what names a product, which rows go on with the one above.
//!
//! In: [`Export`]. Out: [`Seen`], or [`Unseen`] with the reason. Never: a key that is empty or repeated among the rows that are kept.

use std::collections::HashSet;
use std::sync::Arc;

use super::table::Export;
use crate::campaign::slug;

/// Longest text that can name a product: it becomes a folder.
const MAX_KEY: usize = 120;

/// Who has written the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A product export of Shopify: rows grouped by handle.
    Shopify,
    /// A product export of WooCommerce: variations below their product.
    WooCommerce,
    /// Any other table.
    Plain,
}

impl Kind {
    /// Returns what people call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Shopify => "a Shopify export",
            Self::WooCommerce => "a WooCommerce export",
            Self::Plain => "a table",
        }
    }
}

/// Which rows are products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All.
    All,
    /// Those with something in this column.
    Filled(usize),
    /// Those with something else than this text in this column.
    Not(usize, &'static str),
}

impl Filter {
    fn keeps(&self, row: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::Filled(column) => !row[*column].is_empty(),
            Self::Not(column, text) => row[*column] != *text,
        }
    }
}

/// Where pictures of the products are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pictures {
    /// The table names none.
    None,
    /// A column of web addresses.
    Web(usize),
    /// A column of files.
    Files(usize),
}

/// What an export is, by the places of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who has written it.
    pub kind: Kind,
    /// What names a product: never empty and never twice in the rows that are kept.
    pub key: usize,
    /// Whether keys can stand in a path as they are.
    pub plain_keys: bool,
    /// Which rows are products.
    pub filter: Filter,
    /// Places of the rows that are products.
    pub kept: Vec<usize>,
    /// What people call a product.
    pub title: Option<usize>,
    /// What it is, in words.
    pub description: Option<usize>,
    /// Whether the description holds HTML.
    pub html: bool,
    /// What it is made of, its colour: words that belong into a prompt.
    pub words: Vec<usize>,
    /// Pictures of it.
    pub pictures: Pictures,
}

/// Why no campaign can be made of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// No row is a product: the column that is empty everywhere.
    NoProduct(String),
    /// No column names each row; the nearest, with a text that stands in it twice.
    NoKey(Option<(String, String)>),
}

const KEYS: [&str; 18] = [
    "sku",
    "handle",
    "id",
    "product id",
    "productid",
    "item id",
    "item",
    "article",
    "artikelnummer",
    "article number",
    "code",
    "slug",
    "ean",
    "gtin",
    "barcode",
    "variant sku",
    "key",
    "url handle",
];
const TITLES: [&str; 12] =
    ["title", "name", "product name", "product title", "product", "item name", "titel", "bezeichnung", "produktname", "nom", "nombre", "label"];
const DESCRIPTIONS: [&str; 11] = [
    "body (html)",
    "body html",
    "short description",
    "description",
    "beschreibung",
    "kurzbeschreibung",
    "product description",
    "desc",
    "details",
    "body",
    "text",
];
const WORDS: [&str; 7] = ["material", "materials", "colour", "color", "farbe", "finish", "fabric"];
const PICTURES: [&str; 16] = [
    "packshot",
    "image src",
    "product image url",
    "images",
    "image",
    "image url",
    "image link",
    "image_link",
    "photo",
    "picture",
    "bild",
    "image path",
    "img",
    "file",
    "imagen",
    "foto",
];

/// Returns the column that people call a product by, of columns whose names are given.
pub fn title_column(names: &[Arc<str>]) -> Option<&Arc<str>> {
    called(names, &TITLES)
}

/// Returns the column that a shop knows a product by.
pub fn handle_column(names: &[Arc<str>]) -> Option<&Arc<str>> {
    called(names, &["handle", "url handle"])
}

fn called<'a>(names: &'a [Arc<str>], wanted: &[&str]) -> Option<&'a Arc<str>> {
    wanted.iter().find_map(|wanted| names.iter().find(|name| is_called(&name.trim().to_lowercase(), wanted)))
}

/// Returns whether a name in lower case is this one, whatever stands between its words.
fn is_called(name: &str, wanted: &str) -> bool {
    name == wanted || name.replace(['_', '-'], " ") == wanted
}

/// Finds out what an export is.
///
/// # Errors
/// [`Unseen`]: no row is a product, or no column names each of them.
pub fn see(export: &Export) -> Result<Seen, Unseen> {
    let looking = Looking { export, names: export.columns.iter().map(|name| name.trim().to_lowercase()).collect() };
    let kind = looking.kind();
    let title = looking.first(&TITLES);
    let (key, filter) = looking.key(kind, title)?;
    let kept: Vec<usize> = (0..export.rows.len()).filter(|row| filter.keeps(&export.rows[*row])).collect();
    let cells = |column: usize| kept.iter().map(move |row| export.rows[*row][column].as_str());
    let has_any = |column: &usize| cells(*column).any(|cell| !cell.trim().is_empty());
    let description = DESCRIPTIONS.iter().filter_map(|name| looking.named(name)).find(has_any);
    let html = description.is_some_and(|column| cells(column).any(is_html));
    let words = WORDS.iter().filter_map(|name| looking.named(name)).filter(has_any).collect();
    let pictures = PICTURES.iter().filter_map(|name| looking.named(name)).find(has_any).map_or(Pictures::None, |column| {
        let is_web = cells(column).any(|cell| cell.contains("://"));
        if is_web { Pictures::Web(column) } else { Pictures::Files(column) }
    });
    let plain_keys = cells(key).all(is_plain);
    Ok(Seen { kind, key, plain_keys, filter, title: title.filter(has_any), description, html, words, pictures, kept })
}

/// Returns whether a text is also one without tags.
fn is_html(cell: &str) -> bool {
    cell.split('<').skip(1).any(|after| after.starts_with(|char: char| char.is_ascii_alphabetic() || char == '/'))
}

/// Returns whether a text can stand in a path as it is, on every system.
fn is_plain(key: &str) -> bool {
    let stem = key.split('.').next().unwrap_or(key).to_ascii_lowercase();
    let is_device = ["con", "prn", "aux", "nul"].contains(&&*stem) || (stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")));
    let is_letter = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.');
    key.chars().all(is_letter) && !key.starts_with('.') && !key.ends_with('.') && !is_device
}

struct Looking<'a> {
    export: &'a Export,
    /// Names of the columns, in lower case.
    names: Vec<String>,
}

impl Looking<'_> {
    /// Returns the column of a name; one whose name cannot be written in a template is none.
    fn named(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| is_called(known, name)).filter(|column| self.can_be_named(*column))
    }

    fn can_be_named(&self, column: usize) -> bool {
        let name = &self.export.columns[column];
        !(name.contains(|char: char| char.is_control() || char == '\\') || (name.contains('"') && name.contains('\'')))
    }

    fn first(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.named(name))
    }

    fn kind(&self) -> Kind {
        let has = |name: &str| self.named(name).is_some();
        let starts = |word: &str| self.names.iter().any(|name| name.starts_with(word));
        if (has("handle") || has("url handle"))
            && has("title")
            && (starts("variant ") || has("body (html)") || has("image src") || starts("option1 "))
        {
            Kind::Shopify
        } else if has("type") && has("name") && has("sku") && (has("parent") || has("regular price") || has("is featured?")) {
            Kind::WooCommerce
        } else {
            Kind::Plain
        }
    }

    /// Finds what names a product and which rows are products, in the order of what is likely.
    fn key(&self, kind: Kind, title: Option<usize>) -> Result<(usize, Filter), Unseen> {
        let filters = match (kind, title) {
            (Kind::Shopify, Some(title)) => vec![Filter::Filled(title), Filter::All],
            (Kind::WooCommerce, _) => vec![self.named("type").map_or(Filter::All, |column| Filter::Not(column, "variation"))],
            _ => vec![Filter::All],
        };
        if let Some(title) = title.filter(|title| self.export.rows.iter().all(|row| row[*title].trim().is_empty())) {
            return Err(Unseen::NoProduct(self.export.columns[title].clone()));
        }
        let named: Vec<usize> = match kind {
            Kind::Shopify => ["handle", "url handle"].iter().chain(&KEYS).filter_map(|name| self.named(name)).collect(),
            _ => KEYS.iter().filter_map(|name| self.named(name)).collect(),
        };
        let filters: Vec<(Filter, usize)> = filters
            .into_iter()
            .map(|filter| {
                let kept = self.export.rows.iter().filter(|row| filter.keeps(row)).count();
                (filter, kept)
            })
            .filter(|(_, kept)| *kept > 0)
            .collect();
        for (filter, _) in &filters {
            if let Some(key) = named.iter().find(|column| self.names_each(**column, filter)) {
                return Ok((*key, filter.clone()));
            }
        }
        // Rows without what names a product are notes, sums, empty lines.
        let filled = |column: &usize| {
            let rows = self.export.rows.iter().filter(|row| !row[*column].trim().is_empty()).count();
            rows * 2 > self.export.rows.len() && self.names_each(*column, &Filter::Filled(*column))
        };
        if let Some(key) = named.iter().chain(title.as_ref()).find(|column| filled(column)) {
            let filter = if self.names_each(*key, &Filter::All) { Filter::All } else { Filter::Filled(*key) };
            return Ok((*key, filter));
        }
        let by_title = title.map(Filter::Filled).filter(|filter| self.export.rows.iter().any(|row| filter.keeps(row)));
        if let Some((key, filter)) = by_title.and_then(|filter| Some((*named.iter().find(|column| self.names_each(**column, &filter))?, filter))) {
            return Ok((key, filter));
        }
        let all: Vec<usize> = (0..self.names.len()).filter(|column| self.can_be_named(*column)).collect();
        for (filter, _) in &filters {
            if let Some(key) = all.iter().find(|column| self.names_each(**column, filter)) {
                return Ok((*key, filter.clone()));
            }
        }
        Err(Unseen::NoKey(named.first().and_then(|column| Some((self.export.columns[*column].clone(), self.repeated(*column)?)))))
    }

    /// Returns whether a column is filled and unique in the rows that are kept, also as a folder's name.
    fn names_each(&self, column: usize, filter: &Filter) -> bool {
        let rows = || self.export.rows.iter().filter(|row| filter.keeps(row)).map(|row| row[column].as_str());
        let plain = rows().all(is_plain);
        let mut seen = HashSet::new();
        rows().all(|key| {
            let folder = if plain { key.to_lowercase() } else { slug(key) };
            !key.trim().is_empty() && !folder.is_empty() && key.len() <= MAX_KEY && !key.contains("://") && seen.insert(folder)
        })
    }

    fn repeated(&self, column: usize) -> Option<String> {
        let mut seen = HashSet::new();
        self.export.rows.iter().map(|row| &row[column]).find(|cell| !seen.insert(cell.as_str())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaffold::read;

    fn seen(text: &str) -> (Kind, String, Filter, usize) {
        let export = read(text.as_bytes()).expect("a table");
        let seen = see(&export).expect("products");
        (seen.kind, export.columns[seen.key].clone(), seen.filter, seen.kept.len())
    }

    #[test]
    fn rows_that_go_on_with_the_product_above_are_left_out() {
        let shopify = "Handle,Title,Variant SKU\nshirt,Shirt,\nshirt,,\nshirt,,\nsofa,Sofa,\n";
        assert_eq!(seen(shopify), (Kind::Shopify, "Handle".into(), Filter::Filled(1), 2));
        let woo = "ID,Type,SKU,Name,Regular price,Parent\n1,variable,MUG,Mug,,\n2,variation,MUG-S,Mug - S,9,MUG\n3,simple,,Cup,5,\n";
        assert_eq!(seen(woo), (Kind::WooCommerce, "ID".into(), Filter::Not(1, "variation"), 2), "one product has no SKU");
    }

    #[test]
    fn what_names_a_product_is_unique_and_filled() {
        assert_eq!(seen("name,sku\nA,1\nB,2\n").1, "sku");
        assert_eq!(seen("title,price\nPot,1\nPan,1\n").1, "title", "no column is called like a key");
        assert_eq!(seen("sku,title\n1,A\n2,B\n,\n"), (Kind::Plain, "sku".into(), Filter::Filled(0), 2), "an empty line at the end");
        assert_eq!(seen("sku,ean\nx,1\nX,2\n").1, "ean", "two folders whose names differ by case are one on many disks");
        assert_eq!(seen("sku,ean\na/1,5\na-1,6\n").1, "ean", "both would be the folder a-1");
    }

    #[test]
    fn a_table_without_products_or_without_a_key_says_so() {
        let unseen = |text: &str| see(&read(text.as_bytes()).expect("a table")).expect_err("nothing to see");
        assert_eq!(unseen("Handle,Title,Variant SKU\nshoe,,\n"), Unseen::NoProduct("Title".into()));
        assert_eq!(unseen("sku,price\na,1\na,1\n"), Unseen::NoKey(Some(("sku".into(), "a".into()))));
    }

    #[test]
    fn titles_texts_and_pictures_are_found() {
        let export = read(b"sku;Bezeichnung;Beschreibung;Farbe;Bild\n1;Topf;<p>Rund</p>;blau;bilder/1.jpg\n").expect("a table");
        let seen = see(&export).expect("products");
        assert_eq!((seen.title, seen.description, seen.html, seen.words), (Some(1), Some(2), true, vec![3]));
        assert_eq!(seen.pictures, Pictures::Files(4));
        assert!(!is_html("5 < 6 and 7 > 3") && is_html("a<br/>b"));
    }
}
