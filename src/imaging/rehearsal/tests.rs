use super::*;

const SMALL: PixelSize = PixelSize::new(160, 200);

fn scene(subject: u64, words: &str, place: u64, place_words: &str) -> Scene {
    let cues = Cues { subject, subject_words: words, scene: place, scene_words: place_words, view: None };
    Scene {
        size: SMALL,
        look: Look::new(&cues),
        action: Action::Generate,
        detail: 5,
        input: None,
        mask: None,
        transparent: false,
        title: "spring-drop · hero".to_owned(),
        lines: vec!["Teapot in glazed stoneware".to_owned(), "sku teapot".to_owned()],
        take: None,
    }
}

/// Returns how many pixels in a thousand differ.
fn difference(left: &Picture, right: &Picture) -> usize {
    let (left, right) = (left.clone().into_rgba(), right.clone().into_rgba());
    assert_eq!(left.dimensions(), right.dimensions());
    let differing = left.pixels().zip(right.pixels()).filter(|(left, right)| left != right).count();
    differing * 1000 / left.pixels().len()
}

fn edit_of(first: &Scene, words: &str) -> Scene {
    let cues = Cues { scene: 77, scene_words: words, ..Cues::default() };
    let input = Input { picture: draw(first), look: Some(first.look) };
    Scene { look: first.look.edited(&cues), action: Action::Edit, input: Some(input), ..first.clone() }
}

#[test]
fn the_same_scene_gives_the_same_pixels() {
    let scene = scene(1, "teapot", 2, "oak");
    assert_eq!(draw(&scene), draw(&scene));
}

#[test]
fn another_subject_backdrop_take_or_detail_is_another_picture() {
    let base = scene(1, "teapot", 2, "oak");
    let picture = draw(&base);
    for (what, other) in [
        ("subject", scene(1, "bottle", 2, "oak")),
        ("backdrop", scene(1, "teapot", 2, "linen")),
        ("light", scene(1, "teapot", 2, "oak at night")),
        ("take", Scene { take: Some(2), ..base.clone() }),
        ("detail", Scene { detail: 6, ..base.clone() }),
        ("caption", Scene { lines: vec!["Kettle".to_owned()], ..base.clone() }),
    ] {
        assert!(difference(&picture, &draw(&other)) > 0, "{what}");
    }
}

#[test]
fn every_subject_can_be_told_from_every_other() {
    let pictures: Vec<Picture> = Form::ALL[..11].iter().map(|form| draw(&scene(1, form.as_str(), 2, "studio"))).collect();
    for (index, left) in pictures.iter().enumerate() {
        for right in &pictures[index + 1..] {
            assert!(difference(left, right) > 30);
        }
    }
}

#[test]
fn an_edit_has_the_size_asked_for_and_shows_its_input_on_the_film() {
    let first = scene(1, "teapot", 2, "oak");
    let edit = edit_of(&first, "on linen");
    let with_film = draw(&edit);
    let without = draw(&Scene { input: None, ..edit.clone() });
    let area = frame::slot(SMALL, 0);
    assert_eq!(with_film.size(), SMALL);
    assert!(difference(&area.cut(&with_film), &area.cut(&without)) > 500);
    let expected = frame::film(&edit.input.as_ref().expect("an edit has an input").picture, 0)[0].resized(area.size);
    assert_eq!(difference(&area.cut(&with_film), &expected), 0);
}

#[test]
fn the_film_grows_with_the_chain_and_keeps_the_youngest() {
    let picture = draw(&scene(1, "teapot", 2, "oak"));
    let lengths: Vec<usize> = (0..8).map(|earlier| frame::film(&picture, earlier).len()).collect();
    assert_eq!(lengths, [1, 2, 3, 4, 4, 4, 4, 4]);
}

#[test]
fn removing_the_background_leaves_transparent_pixels_and_a_subject() {
    let first = scene(1, "teapot", 2, "oak");
    let own = Input { picture: draw(&first), look: Some(first.look) };
    let photo = Input { picture: own.picture.clone(), look: None };
    for input in [own, photo] {
        let look = look_after(Action::RemoveBackground, &Cues::default(), Some(&input));
        let picture = draw(&Scene { action: Action::RemoveBackground, look, input: Some(input), ..first.clone() });
        let Picture::Rgba(pixels) = picture else { panic!("a cut-out has an alpha channel") };
        let clear = pixels.pixels().filter(|pixel| pixel.0[3] == 0).count() * 100 / pixels.pixels().len();
        assert!((5..95).contains(&clear), "{clear} % is transparent");
        assert_eq!(pixels.get_pixel(80, 120).0[3], 255, "the middle of the subject");
    }
}

#[test]
fn an_inpaint_changes_nothing_outside_its_mask_but_caption_film_and_stamp() {
    let first = scene(1, "teapot", 2, "oak");
    let mut mask = image::RgbaImage::from_pixel(160, 200, image::Rgba([255; 4]));
    for (x, y) in (60..100).flat_map(|x| (40..70).map(move |y| (x, y))) {
        mask.put_pixel(x, y, image::Rgba([0; 4]));
    }
    let inpaint = Scene { action: Action::Inpaint, mask: Some(Picture::Rgba(mask)), ..edit_of(&first, "linen at night") };
    let (before, after) = (draw(&first).into_rgba(), draw(&inpaint).into_rgba());
    let changed = |x: u32, y: u32| before.get_pixel(x, y) != after.get_pixel(x, y);
    assert!((62..98).any(|x| changed(x, 50)));
    assert!((62..98).all(|x| !changed(x, 90) && !changed(x, 36)));
}

#[test]
fn vary_upscale_and_edits_of_photos_work_at_any_size() {
    let first = scene(1, "teapot", 2, "oak");
    let picture = draw(&first);
    for size in [PixelSize::new(1, 1), PixelSize::new(3, 200), PixelSize::new(64, 64), PixelSize::new(300, 130)] {
        for action in Action::ALL {
            for look in [None, Some(first.look)] {
                let input = Input { picture: picture.clone(), look };
                let look = look_after(action, &Cues { scene_words: "stone", ..Cues::default() }, Some(&input));
                let made = draw(&Scene { size, action, look, input: Some(input), ..first.clone() });
                assert_eq!(made.size(), size, "{action} of {look:?}");
            }
        }
    }
    let varied = Scene { action: Action::Vary, input: Some(Input { picture: picture.clone(), look: Some(first.look) }), ..first.clone() };
    assert!(difference(&picture, &draw(&varied)) > 500);
}
