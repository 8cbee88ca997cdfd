//! From a shot to a request: values, pictures, body, headers.
//!
//! In: a [`Shot`] and the call that the manifest names for it. Out: a request that is ready to be sent, once.
//! Never: a picture or a setting that is dropped in silence; the key to any origin but the API's own.

use std::sync::Arc;

use futures_util::future::try_join_all;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Url};
use serde_json::{Value, json};

use super::HttpProvider;
use super::pictures::{Arranged, inlined, media_type, part};
use super::protocol::{Call, Files, MaskAs, Method, PicturesAs, Request, SubmitCall};
use super::template::{Template, Unfilled, Values};
use super::trace;
use crate::provider::{InputPicture, Shot};
use crate::types::{BlobRef, Digest, Failure, FailureClass, ImageFormat, ImageInfo, InputRole};

/// A request in the making.
pub(super) struct Order<'a> {
    pub(super) call: Call,
    pub(super) request: &'a Request,
    pub(super) values: Values,
    /// The parameters of the model, filled.
    pub(super) parameters: Option<Value>,
    /// Where it goes, if an answer has told it.
    pub(super) address: Option<Url>,
}

/// A file of a form: its field and itself.
pub(super) type File = (String, Part);

impl HttpProvider {
    /// Gathers all that a submit needs, uploads included.
    pub(super) async fn order<'a>(&'a self, call: &'a SubmitCall, shot: &Shot) -> Result<(Order<'a>, Vec<File>), Failure> {
        let wire = self.wire(shot)?;
        let parameters = self.protocol.parameters.get(&*wire);
        let mut values = values(shot, &wire);
        let arranged = Arranged::of(shot);
        self.all_are_sent(call, parameters, &arranged)?;
        if call.request.form.is_empty() {
            self.inline(&mut values, call, parameters, &arranged, shot).await?;
        }
        let files = self.form_files(&call.request, &arranged, shot).await?;
        let parameters = parameters.map(|template| template.fill(&values, &self.protocol.words)).transpose().map_err(unfilled)?.flatten();
        Ok((Order { call: Call::Submit, request: &call.request, values, parameters, address: None }, files))
    }

    /// Returns the provider's id of the model for the action.
    pub(super) fn wire(&self, shot: &Shot) -> Result<Arc<str>, Failure> {
        let operation = self.cards.get(&shot.paid.model).and_then(|card| card.operation(shot.paid.action));
        operation.and_then(|operation| operation.wire.clone()).ok_or_else(|| {
            let message = format!("the manifest has no wire id for `{}` of `{}`", shot.paid.action, shot.paid.model);
            Failure::new(FailureClass::Invalid, "no-wire-id", message)
        })
    }

    /// Refuses a shot with a picture that the manifest does not send: it would be paid for and come out wrong.
    fn all_are_sent(&self, call: &SubmitCall, parameters: Option<&Template>, arranged: &Arranged<'_>) -> Result<(), Failure> {
        let sends = |kind: &[Files], slots: &[&str]| {
            let in_form = call.request.form.iter().any(|part| part.files.is_some_and(|files| kind.contains(&files)));
            in_form || slots.iter().any(|slot| has(call, parameters, slot))
        };
        let missing = [
            ("the main picture", arranged.image.is_some() && !sends(&[Files::Image, Files::Pictures], &["image", "pictures"])),
            ("reference pictures", !arranged.references.is_empty() && !sends(&[Files::References, Files::Pictures], &["references", "pictures"])),
            ("the mask", arranged.mask.is_some() && !sends(&[Files::Mask], &["mask"])),
        ];
        match missing.into_iter().find(|(_, is_missing)| *is_missing) {
            Some((what, _)) => {
                Err(Failure::new(FailureClass::Invalid, "not-sent", format!("the manifest does not say how {what} is sent to this model")))
            }
            None => Ok(()),
        }
    }

    /// Puts the pictures that the body asks for among the values.
    async fn inline(
        &self,
        values: &mut Values,
        call: &SubmitCall,
        parameters: Option<&Template>,
        arranged: &Arranged<'_>,
        shot: &Shot,
    ) -> Result<(), Failure> {
        for (slot, files) in [("image", Files::Image), ("pictures", Files::Pictures), ("references", Files::References), ("mask", Files::Mask)] {
            let which = arranged.which(files);
            if which.is_empty() || !has(call, parameters, slot) {
                continue;
            }
            let handed = try_join_all(which.into_iter().map(|picture| self.handed_over(picture, shot))).await?;
            let value = match files {
                Files::Image | Files::Mask | Files::Picture => handed.into_iter().next().unwrap_or(Value::Null),
                Files::Pictures | Files::References => Value::Array(handed),
            };
            values.insert(slot, value);
        }
        Ok(())
    }

    /// Returns what stands for a picture in a body.
    async fn handed_over(&self, picture: &InputPicture, shot: &Shot) -> Result<Value, Failure> {
        let (text, media) = match self.protocol.pictures {
            PicturesAs::Upload => (self.uploaded(picture, shot).await?, media_type(picture)),
            as_text => {
                let (picture, bytes) = self.opened(picture, shot).await?;
                (inlined(&picture, &bytes, as_text == PicturesAs::DataUrl), media_type(&picture))
            }
        };
        match &self.protocol.each_picture {
            None => Ok(Value::String(text)),
            Some(shape) => {
                let values = Values::from([("picture", Value::String(text)), ("media", Value::String(media))]);
                Ok(shape.fill(&values, &self.protocol.words).map_err(unfilled)?.unwrap_or(Value::Null))
            }
        }
    }

    /// Whether a picture is sent otherwise than it is stored.
    pub(super) fn redraws(&self, picture: &InputPicture) -> bool {
        picture.role == InputRole::Mask && self.protocol.masks != MaskAs::Transparent
    }

    /// Returns a picture as it is sent: a mask is redrawn where the provider reads masks in another way than campaigns have them.
    pub(super) async fn opened(&self, picture: &InputPicture, shot: &Shot) -> Result<(InputPicture, Vec<u8>), Failure> {
        let hole_is_white = match (picture.role, self.protocol.masks) {
            (InputRole::Mask, MaskAs::White) => true,
            (InputRole::Mask, MaskAs::Black) => false,
            _ => return Ok((picture.clone(), shot.pictures.open(picture.blob).await?)),
        };
        let bytes = shot.pictures.open_mask(picture.blob, hole_is_white).await?;
        let blob = BlobRef { digest: Digest::of(&bytes), len: bytes.len() as u64 };
        let info = ImageInfo { format: ImageFormat::Png, ..picture.info };
        Ok((InputPicture { info, blob, ..picture.clone() }, bytes))
    }

    /// Returns the files of a form, in the order of its fields.
    async fn form_files(&self, request: &Request, arranged: &Arranged<'_>, shot: &Shot) -> Result<Vec<File>, Failure> {
        let mut files = Vec::new();
        for field in &request.form {
            for picture in field.files.map(|files| arranged.which(files)).unwrap_or_default() {
                let (picture, bytes) = self.opened(picture, shot).await?;
                files.push((field.name.clone(), part(&picture, bytes)?));
            }
        }
        Ok(files)
    }

    /// Returns the address that the manifest gives a request.
    fn place_of(&self, request: &Request, values: &Values) -> Result<Url, Failure> {
        let path = request.path.fill_path(values, &self.protocol.words).map_err(unfilled)?;
        let origin = match (&self.own, &request.origin) {
            (Some(own), _) => Some(own),
            (None, Some(name)) => self.protocol.origins.get(name),
            (None, None) => Some(&self.protocol.base_url),
        };
        let origin = origin.ok_or_else(|| invalid("the manifest names an origin that it does not have".to_owned()))?;
        origin.join(&path).map_err(invalid)
    }

    /// Makes the request of an order; `files` are the files of its form.
    pub(super) fn prepared(&self, client: &Client, order: &Order<'_>, files: Vec<File>) -> Result<RequestBuilder, Failure> {
        let request = order.request;
        let mut values = order.values.clone();
        if let Some(parameters) = &order.parameters {
            values.insert("parameters", parameters.clone());
        }
        let words = &self.protocol.words;
        let mut url = match &order.address {
            Some(address) => address.clone(),
            None => self.place_of(request, &values)?,
        };
        for (name, template) in &request.query {
            // What an answer has told is whole; its own parameters stay as they are.
            if order.address.is_none()
                && let Some(text) = template.fill_text(&values, words).map_err(unfilled)?
            {
                url.query_pairs_mut().append_pair(name, &text);
            }
        }
        let builder = match request.method {
            Method::Post => client.post(url),
            Method::Get => client.get(url),
        };
        // One map: the builder adds to what is there, and a header that comes twice is two headers.
        let mut headers = self.headers.clone();
        for (name, value) in &request.headers {
            let (name, value) = match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                (Ok(name), Ok(value)) => (name, value),
                _ => return Err(invalid(format!("the header `{name}` has characters that no header may have"))),
            };
            headers.insert(name, value);
        }
        let mut builder = builder.headers(headers);
        if let (Call::Submit, Some(name), Some(key)) = (order.call, &self.protocol.idempotency_header, values.get("idempotency-key")) {
            let name: HeaderName = name.parse().map_err(|_| invalid(format!("`{name}` is no name of a header")))?;
            builder = builder.header(name, key.as_str().unwrap_or_default());
        }
        if let Some(template) = &request.json {
            let body = template.fill(&values, words).map_err(unfilled)?.unwrap_or(Value::Null);
            return Ok(builder.header("content-type", "application/json").body(body.to_string()));
        }
        if request.form.is_empty() {
            return Ok(builder);
        }
        let (mut form, mut said) = (Form::new(), Vec::new());
        let mut files = files.into_iter().peekable();
        for field in &request.form {
            if let Some(template) = &field.text
                && let Some(text) = template.fill_text(&values, words).map_err(unfilled)?
            {
                said.push((field.name.clone(), text.clone()));
                form = form.text(field.name.clone(), text);
            }
            if let Some(template) = &field.spread {
                let filled = template.fill(&values, words).map_err(unfilled)?;
                for (name, value) in filled.as_ref().and_then(Value::as_object).into_iter().flatten() {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    form = form.text(name.clone(), text);
                }
            }
            while field.files.is_some() && files.peek().is_some_and(|(name, _)| *name == field.name) {
                if let Some((name, part)) = files.next() {
                    said.push((name.clone(), "[file]".to_owned()));
                    form = form.part(name, part);
                }
            }
        }
        trace::form(&said);
        Ok(builder.multipart(form))
    }
}

/// Returns whether a JSON body, or the model's parameters in it, have this slot; pictures stand in a form as files only.
fn has(call: &SubmitCall, parameters: Option<&Template>, slot: &str) -> bool {
    let Some(json) = &call.request.json else { return false };
    json.has(slot) || (json.has("parameters") && parameters.is_some_and(|parameters| parameters.has(slot)))
}

/// Returns what a request is about, by the names of slots; what is not said is not there.
pub(super) fn values(shot: &Shot, wire: &str) -> Values {
    let settings = &shot.paid.settings;
    let mut values = Values::from([
        ("wire", json!(wire)),
        ("model", json!(&*shot.paid.model)),
        ("action", json!(shot.paid.action.as_str())),
        ("width", json!(shot.output.width)),
        ("height", json!(shot.output.height)),
        ("size", json!(shot.output.to_string())),
        ("idempotency-key", json!(shot.idempotency_key.as_str())),
    ]);
    let mut say = |slot: &'static str, value: Option<Value>| {
        if let Some(value) = value {
            values.insert(slot, value);
        }
    };
    say("prompt", (!shot.prompt.is_empty()).then(|| json!(&*shot.prompt)));
    say("aspect", settings.aspect.map(|aspect| json!(aspect.to_string())));
    say("resolution", settings.resolution.as_deref().map(|word| json!(word)));
    say("quality", settings.quality.as_deref().map(|word| json!(word)));
    say("speed", settings.speed.as_deref().map(|word| json!(word)));
    say("scale", settings.scale.map(|scale| json!(scale)));
    say("background", settings.background.as_deref().map(|word| json!(word)));
    say("format", settings.format.map(|format| json!(format.as_str())));
    say("seed", settings.seed.map(|seed| json!(seed)));
    values
}

fn invalid(message: String) -> Failure {
    Failure::new(FailureClass::Invalid, "manifest", message)
}

pub(super) fn unfilled(error: Unfilled) -> Failure {
    invalid(error.to_string())
}
