//! Requests as they come over the wire.
//!
//! In: a connection. Out: [`Received`], with its form taken apart.
//! Never: a request that is not whole.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

/// A request.
#[derive(Debug, Clone)]
pub struct Received {
    /// When its first line had come.
    pub at: Instant,
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: BTreeMap<String, String>,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// A part of a form.
#[derive(Debug, Clone)]
pub struct Part {
    pub name: String,
    pub file_name: Option<String>,
    pub media: Option<String>,
    pub bytes: Vec<u8>,
}

impl Part {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Received {
    /// Reads a request; `None` if the connection ends first.
    pub(super) fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let at = Instant::now();
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.insert(name.trim().to_lowercase(), value.trim().to_owned());
        }
        let body = if headers.get("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            chunked(&mut reader)?
        } else {
            let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            body
        };
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.replace("%20", " ")));
        Some(Self { at, method, path: path.to_owned(), query: query.split('&').filter_map(pair).collect(), headers, body })
    }

    /// Returns a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns the body as JSON, or `null`.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Returns the parts of the form; `None` if it is not one.
    pub fn form(&self) -> Option<Vec<Part>> {
        let boundary = self.header("content-type")?.strip_prefix("multipart/form-data; boundary=")?.trim_matches('"');
        let mark = format!("--{boundary}");
        let mut parts = Vec::new();
        let mut rest = self.body.strip_prefix(mark.as_bytes())?;
        while let Some(inside) = rest.strip_prefix(b"\r\n") {
            let end = find(inside, format!("\r\n{mark}").as_bytes())?;
            let head_end = find(&inside[..end], b"\r\n\r\n")?;
            let head = String::from_utf8_lossy(&inside[..head_end]).into_owned();
            let field = |name: &str| {
                let after = head.split_once(&format!("; {name}=\""))?.1;
                Some(after.split_once('"')?.0.to_owned())
            };
            let media = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-type:").map(|media| media.trim().to_owned()));
            parts.push(Part { name: field("name")?, file_name: field("filename"), media, bytes: inside[head_end + 4..end].to_vec() });
            rest = &inside[end + 2 + mark.len()..];
        }
        rest.starts_with(b"--").then_some(parts)
    }
}

fn chunked(reader: &mut BufReader<&mut TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}
