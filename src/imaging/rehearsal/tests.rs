use super::*;

fn gallery() -> std::path::PathBuf {
    std::path::PathBuf::from("/tmp/rehearsal")
}

fn scene(size: PixelSize, subject: u64, words: &str, place: u64, place_words: &str) -> Scene {
    let cues = Cues { subject, subject_words: words, scene: place, scene_words: place_words, view: None };
    Scene {
        size,
        look: Look::new(&cues),
        action: Action::Generate,
        detail: subject ^ place,
        input: None,
        mask: None,
        transparent: false,
        title: "spring-drop · hero".to_owned(),
        lines: vec![format!("{words} in glazed stoneware"), format!("sku {words}"), "angle front".to_owned(), format!("surface {place_words}")],
        take: None,
    }
}

#[test]
fn show() {
    use crate::imaging::encode;
    use crate::types::ImageFormat;
    std::fs::create_dir_all(gallery()).unwrap();
    let cell = PixelSize::new(512, 512);
    let mut cells = Vec::new();
    for (index, (form, decor)) in Form::ALL[..11].iter().zip(Decor::ALL.iter().chain(Decor::ALL)).enumerate() {
        let mut one = scene(cell, index as u64 * 7 + 1, form.as_str(), index as u64 * 5 + 2, decor.as_str());
        one.take = (index % 3 == 0).then_some(2);
        cells.push(encode(&draw(&one), ImageFormat::Png, None, &[]).unwrap());
    }
    // chain
    let first = scene(PixelSize::new(1024, 1280), 3, "teapot", 4, "sweep");
    let mut picture = draw(&first);
    let mut look = first.look;
    std::fs::write(gallery().join("chain0.png"), encode(&picture, ImageFormat::Png, None, &[]).unwrap()).unwrap();
    for (step, words) in ["on a pale oak tabletop", "warm evening light", "washed linen"].iter().enumerate() {
        let cues = Cues { subject: 3, scene: step as u64 + 60, scene_words: words, ..Cues::default() };
        let input = Input { picture: picture.clone(), look: Some(look) };
        let next = Scene { look: look.edited(&cues), action: Action::Edit, input: Some(input), detail: step as u64, take: Some(1), ..first.clone() };
        picture = draw(&next);
        look = next.look;
        std::fs::write(gallery().join(format!("chain{}.png", step + 1)), encode(&picture, ImageFormat::Png, None, &[]).unwrap()).unwrap();
    }
    let input = Input { picture: picture.clone(), look: Some(look) };
    for action in [Action::Vary, Action::Upscale, Action::RemoveBackground, Action::Inpaint] {
        let next = Scene { look, action, input: Some(input.clone()), size: PixelSize::new(1024, 1280), ..first.clone() };
        cells.push(encode(&draw(&next), ImageFormat::Png, None, &[]).unwrap());
    }
    let photo = Input { picture: draw(&scene(PixelSize::new(600, 800), 9, "vase", 1, "arch")), look: None };
    let edit = Scene {
        look: look_after(Action::Edit, &Cues { scene_words: "stone", ..Cues::default() }, Some(&photo)),
        action: Action::Edit,
        input: Some(photo.clone()),
        size: PixelSize::new(1280, 720),
        ..first.clone()
    };
    cells.push(encode(&draw(&edit), ImageFormat::Png, None, &[]).unwrap());
    let cut = Scene { look: edit.look, action: Action::RemoveBackground, input: Some(photo), size: PixelSize::new(600, 800), ..first.clone() };
    cells.push(encode(&draw(&cut), ImageFormat::Png, None, &[]).unwrap());
    let tiny = scene(PixelSize::new(64, 64), 9, "vase", 1, "stone");
    cells.push(encode(&draw(&tiny), ImageFormat::Png, None, &[]).unwrap());
    let labels: Vec<std::sync::Arc<str>> = (0..cells.len()).map(|n| format!("cell {n}").into()).collect();
    let (bytes, _) = crate::imaging::sheet(&cells, &labels, 6, PixelSize::new(320, 320)).unwrap();
    std::fs::write(gallery().join("sheet.png"), bytes).unwrap();
    let wide = scene(PixelSize::new(1280, 720), 12, "bottle", 4, "window");
    std::fs::write(gallery().join("wide.png"), encode(&draw(&wide), ImageFormat::Png, None, &[]).unwrap()).unwrap();
}
