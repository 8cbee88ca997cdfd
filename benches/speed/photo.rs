//! Pictures that weigh what photographs weigh: soft light, an object with an edge, texture at every scale, a little grain.
//!
//! Written as most programs write a PNG (zlib's usual level, filters row by row): about 4 bits a channel of each pixel are left, as with the pictures
//! of models.

use image::RgbImage;

/// Steps between two knots of the finest texture, in pixels; each coarser one has twice as many.
const FINEST: usize = 4;

/// Draws one; another `seed`, another picture.
pub fn pixels(width: u32, height: u32, seed: u32) -> RgbImage {
    let mut dice = Dice(seed.wrapping_mul(2_654_435_761) | 1);
    let textures: Vec<Texture> = (0..6).map(|octave| Texture::new(width as usize, height as usize, FINEST << octave, &mut dice)).collect();
    let (middle, radius) = ((width as i64 / 2, height as i64 * 11 / 20), width as i64 / 4);
    RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (i64::from(x) - middle.0, i64::from(y) - middle.1);
        let inside = dx * dx + dy * dy < radius * radius;
        let light = 205 - ((dx.abs() + dy.abs()) * 80 / i64::from(width)) as i32;
        let texture: i32 = textures.iter().map(|texture| texture.at(x as usize, y as usize)).sum::<i32>() / 256;
        let base = if inside { [light - 70, light - 110, light - 130] } else { [light, light - 6, light - 14] };
        image::Rgb(base.map(|channel| (channel + texture + dice.grain()).clamp(0, 255) as u8))
    })
}

/// Draws one and writes it as a PNG.
pub fn png(width: u32, height: u32, seed: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header().expect("a head can be written to memory");
    writer.write_image_data(&pixels(width, height, seed)).expect("pixels can be written to memory");
    writer.finish().expect("an end can be written to memory");
    bytes
}

struct Dice(u32);

impl Dice {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 8
    }

    /// Grain of a sensor: mostly within two steps.
    fn grain(&mut self) -> i32 {
        let roll = self.next();
        (roll & 3) as i32 + (roll >> 4 & 3) as i32 - 3
    }
}

/// Random heights on a grid, with straight slopes between.
struct Texture {
    step: usize,
    across: usize,
    knots: Vec<i32>,
}

impl Texture {
    fn new(width: usize, height: usize, step: usize, dice: &mut Dice) -> Self {
        let across = width / step + 2;
        // Coarser is stronger, as in nature: heights of 256ths of a step of brightness.
        let strength = (step * 80) as u32;
        let knots = (0..across * (height / step + 2)).map(|_| (dice.next() % (2 * strength)) as i32 - strength as i32).collect();
        Self { step, across, knots }
    }

    fn at(&self, x: usize, y: usize) -> i32 {
        let (column, row) = (x / self.step, y / self.step);
        let (right, down) = ((x % self.step) as i32, (y % self.step) as i32);
        let knot = |column: usize, row: usize| self.knots[row * self.across + column];
        let step = self.step as i32;
        let upper = knot(column, row) * (step - right) + knot(column + 1, row) * right;
        let lower = knot(column, row + 1) * (step - right) + knot(column + 1, row + 1) * right;
        (upper / step * (step - down) + lower / step * down) / step
    }
}
