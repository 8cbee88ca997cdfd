//! Qolaba's API as its one page has it: a task, and an answer with pictures and what they cost.

use serde_json::{Value, json};

use super::{Accepted, Api, Books, KEY, Received, Reply};

/// The provider. One picture costs 6 credits, as in the example of its page.
#[derive(Default)]
pub struct Qolaba {
    /// How often a task is under way when it is asked after.
    pub running: u32,
    /// How many pictures a request brings; one unless said.
    pub pictures: Option<usize>,
    /// Below which key a finished task has its answer; at the top unless said.
    pub below: Option<&'static str>,
    /// What it costs, if not 6 credits, in millionths.
    pub price: Option<i64>,
    /// What it remembers; begins empty.
    pub tasks: Vec<(u32, Vec<Vec<u8>>, String)>,
}

impl Api for Qolaba {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        if let Some(name) = request.path.strip_prefix("/files/") {
            if request.header("x-api-key").is_some() {
                books.violation("the key was sent to a host of files");
            }
            let picture = name.trim_end_matches(".png").split_once('_').and_then(|(number, index)| {
                let (_, pictures, _) = self.tasks.get(number.parse::<usize>().ok()?)?;
                pictures.get(index.parse::<usize>().ok()?)
            });
            return picture.map_or_else(|| Reply::status(404), |bytes| Reply::bytes("image/png", bytes.clone()));
        }
        if request.header("x-api-key") != Some(KEY) {
            return Reply::json(401, &json!({ "detail": "Invalid API key" }));
        }
        match (request.method.as_str(), request.path.strip_prefix("/api/v1/tasks/")) {
            ("GET", Some(id)) => self.task(id, url),
            ("POST", None) if request.path == "/api/v1/images/generate" => self.generate(request, books),
            (method, _) => {
                books.violation(format!("there is no {method} {}", request.path));
                Reply::json(404, &json!({ "detail": "Not Found" }))
            }
        }
    }
}

impl Qolaba {
    fn generate(&mut self, request: &Received, books: &mut Books) -> Reply {
        let body = request.json();
        let prompt = body["prompt"].as_str().unwrap_or_default().to_owned();
        let known = |name: &String| ["model", "prompt", "aspect_ratio", "celery"].contains(&name.as_str());
        let right = body.as_object().is_some_and(|map| map.keys().all(known))
            && body["model"] == "vertex/nano-banana-flash"
            && (1..=4000).contains(&prompt.chars().count())
            && body.get("aspect_ratio").is_none_or(|ratio| ratio.as_str().is_some_and(|ratio| ratio.contains(':')))
            && body["celery"] == true;
        if !right {
            books.violation(format!("not as documented: {body}"));
            return Reply::json(422, &json!({ "detail": "bad request" }));
        }
        let price = self.price.unwrap_or(6_000_000);
        books.charges.push(price);
        let pictures: Vec<Vec<u8>> = (0..self.pictures.unwrap_or(1)).map(|_| books.draw(&prompt, &[])).collect();
        let id = format!("task-{}", self.tasks.len());
        books.accepted.push(Accepted { prompt: prompt.clone(), task: id.clone(), succeeds: !pictures.is_empty(), charged: price });
        self.tasks.push((0, pictures, prompt));
        Reply::json(202, &json!({ "task_id": id }))
    }

    fn task(&mut self, id: &str, url: &str) -> Reply {
        let number = id.strip_prefix("task-").and_then(|number| number.parse::<usize>().ok());
        let Some((number, (asked, pictures, prompt))) = number.and_then(|number| Some((number, self.tasks.get_mut(number)?))) else {
            return Reply::json(404, &json!({ "detail": "Task not found" }));
        };
        *asked += 1;
        if *asked <= self.running {
            return Reply::json(200, &json!({ "task_id": id, "status": "whatever it is called" }));
        }
        let image = |index| json!({ "url": format!("{url}/files/{number}_{index}.png"), "width": 1024, "height": 1024, "content_type": "image/png" });
        let images: Vec<Value> = (0..pictures.len()).map(image).collect();
        let credits = self.price.unwrap_or(6_000_000) as f64 / 1e6;
        let usage = json!({ "images_generated": images.len(), "cost_usd": credits * 0.005, "cost_credits": credits });
        let answer = json!({ "task_id": id, "prompt": prompt, "images": images, "usage": usage });
        match self.below {
            Some(key) => Reply::json(200, &json!({ "task_id": id, key: answer })),
            None => Reply::json(200, &answer),
        }
    }
}
