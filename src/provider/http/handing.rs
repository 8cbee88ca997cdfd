//! A source picture on its way to the provider, where pictures go by an address: one way after the other until it is there.
//!
//! In: a picture. Out: its address at the provider's.
//! Never: a picture handed over twice while the provider has it; the key to the host that only takes the bytes; a charge.

use reqwest::Url;
use serde_json::json;

use super::HttpProvider;
use super::client::{self, Broken, SMALL};
use super::download;
use super::pictures::{Kept, file_name, inlined, media_type, part};
use super::protocol::{Call, Files, PicturesAs, Request, UploadCall};
use super::request::Order;
use super::template::Values;
use crate::provider::{InputPicture, Shot};
use crate::types::{Billed, Digest, Failure, FailureClass};

/// Bytes in a megabyte, as providers count their limits.
const MEGABYTE: usize = 1_000_000;

impl HttpProvider {
    /// Returns the address of a picture at the provider's; uploads it if it has none, or one that will soon expire.
    pub(super) async fn uploaded(&self, picture: &InputPicture, shot: &Shot) -> Result<String, Failure> {
        let unable = || Failure::new(FailureClass::Invalid, "no-upload", "the manifest does not say how a picture is handed over");
        let call = self.protocol.upload.as_ref().ok_or_else(unable)?;
        // A mask that is redrawn is another picture than the one that the provider may already have.
        let digest = picture.blob.digest;
        let redrawn = self.redraws(picture);
        let place = self.uploads.place(if redrawn { Digest::of(format!("mask {digest}").as_bytes()) } else { digest });
        let mut place = place.lock().await;
        if let Some(kept) = place.as_ref().filter(|kept| kept.is_fresh()) {
            return Ok(kept.url.clone());
        }
        let source = if redrawn { None } else { self.sources.address(digest) };
        let (picture, bytes) = self.opened(picture, shot).await?;
        let usable = |request: &Request, most: Option<u32>| {
            let fits = most.is_none_or(|most| bytes.len() <= most as usize * MEGABYTE);
            fits && (source.is_some() || !request.json.as_ref().is_some_and(|json| json.has("source-url")))
        };
        let ways = std::iter::once((&call.request, None)).chain(call.instead.iter().map(|way| (&way.request, way.up_to_mb)));
        let mut failed = None;
        for (request, _) in ways.filter(|(request, most)| usable(request, *most)) {
            match self.hand_over(call, request, &picture, &bytes, source.as_deref()).await {
                Ok(url) => {
                    *place = Some(Kept::new(url.clone(), call.keep.0));
                    return Ok(url);
                }
                // What is wrong with the account or its rate is wrong with every way.
                Err(failure) if matches!(failure.class, FailureClass::Account | FailureClass::Throttled | FailureClass::Maintenance) => {
                    return Err(failure);
                }
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        Err(failed.unwrap_or_else(unable))
    }

    /// Hands a picture over in one way.
    async fn hand_over(
        &self,
        call: &UploadCall,
        request: &Request,
        picture: &InputPicture,
        bytes: &[u8],
        source: Option<&str>,
    ) -> Result<String, Failure> {
        let mut values = Values::from([("file-name", json!(file_name(picture))), ("media", json!(media_type(picture)))]);
        if let Some(source) = source {
            values.insert("source-url", json!(source));
        }
        if request.json.as_ref().is_some_and(|json| json.has("picture")) {
            values.insert("picture", json!(inlined(picture, bytes, self.protocol.pictures != PicturesAs::Base64)));
        }
        let mut files = Vec::new();
        for field in request.form.iter().filter(|field| field.files == Some(Files::Picture)) {
            files.push((field.name.clone(), part(picture, bytes.to_vec())?));
        }
        let order = Order { call: Call::Upload, request, values, parameters: None, address: None };
        let prepared = self.prepared(&self.clients.free, &order, files)?;
        let answer = client::exchange(prepared, request.timeout.0, SMALL).await.map_err(|broken| self.not_handed_over(broken))?;
        let body = self.reader().good(Call::Upload, answer)?;
        let first = |places: &[super::place::Place]| places.iter().flat_map(|place| place.texts(&body)).next();
        let lacks =
            |what: &str| Failure::new(FailureClass::Transient, "upload", format!("a source picture was handed over, but the answer has no {what}"));
        if !call.put.is_empty() && std::ptr::eq(request, &call.request) {
            let target = first(&call.put).ok_or_else(|| lacks("place for its bytes"))?;
            self.put(&target, request, picture, bytes.to_vec()).await?;
        }
        first(&call.url).ok_or_else(|| lacks("address"))
    }

    /// Puts the bytes where an answer said, without the key.
    async fn put(&self, target: &str, request: &Request, picture: &InputPicture, bytes: Vec<u8>) -> Result<(), Failure> {
        let unsafe_place =
            |why: String| Failure::new(FailureClass::Transient, "upload", format!("a source picture is not put where the answer says: {why}"));
        let url = Url::parse(target).map_err(|error| unsafe_place(error.to_string()))?;
        let is_own = self.own.as_ref().is_some_and(|own| own.holds(&url));
        if !is_own {
            download::is_safe(&url).map_err(|why| unsafe_place(why.to_owned()))?;
        }
        let client = if is_own { &self.clients.own_files } else { &self.clients.files };
        let prepared = client.put(url).header("content-type", media_type(picture)).body(bytes);
        let answer = client::exchange(prepared, request.timeout.0, SMALL).await.map_err(|broken| self.not_handed_over(broken))?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(Failure::new(FailureClass::Transient, "upload", format!("a source picture was not taken: HTTP status {}", answer.status)))
    }

    fn not_handed_over(&self, broken: Broken) -> Failure {
        let (Broken::Before(why) | Broken::After(_, why)) = broken;
        self.reader().told(FailureClass::Transient, "upload", &format!("a source picture could not be handed over: {why}"), Billed::No, None)
    }
}
