//! A synthetic chest CT that looks anatomical: the study of `bluebridge demo` and of the README.
//! Deterministic: the same settings give the same bytes on every machine.

mod anatomy;
mod canvas;
mod dataset;
mod noise;
mod skeleton;
mod uid;
mod vessels;

use crate::domain::uid::{SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
use anatomy::Body;
use canvas::Canvas;

/// What the phantom study looks like.
#[derive(Debug, Clone)]
pub struct PhantomSettings {
    /// UIDs and noise are derived from it: other seeds give other studies.
    pub seed: u64,
    /// Axial slices, from the base of the neck to the diaphragm.
    pub slices: u32,
    /// Rows and columns of a slice.
    pub matrix: u32,
    /// Patient's birth date (0010,0030), `YYYYMMDD`.
    pub birth_date: String,
    /// Study date and time, `YYYYMMDD` and `HHMMSS`.
    pub study_date: String,
    pub study_time: String,
    pub institution: String,
}

impl Default for PhantomSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            slices: 48,
            matrix: 512,
            birth_date: "19750619".into(),
            study_date: "20260914".into(),
            study_time: "093000".into(),
            institution: "Phantom Hospital".into(),
        }
    }
}

/// One instance, ready to be sent: data set in Explicit VR Little Endian, without file meta.
#[derive(Debug, Clone)]
pub struct PhantomInstance {
    pub sop_class: SopClassUid,
    pub sop_instance: SopInstanceUid,
    pub transfer_syntax: TransferSyntaxUid,
    pub dataset: Vec<u8>,
}

/// The Study Instance UID that [`study`] gives its instances.
pub fn study_instance_uid(settings: &PhantomSettings) -> StudyInstanceUid {
    uid::study(settings.seed)
}

/// The instances of the study: a localiser, then the axial slices from head to feet. Each is computed
/// when it is asked for.
pub fn study(settings: &PhantomSettings) -> impl Iterator<Item = PhantomInstance> + Send + use<> {
    let settings = settings.clone();
    let body = Body {
        seed: settings.seed,
        ribs: skeleton::ribs(),
        vessels: [-1.0, 1.0].into_iter().flat_map(|side| vessels::tree(settings.seed, side)).collect(),
    };
    (0..=settings.slices).map(move |number| match number {
        0 => dataset::instance(&settings, &localiser(&settings, &body)),
        slice => dataset::instance(&settings, &axial(&settings, &body, slice)),
    })
}

/// Millimetres of the square that an axial slice shows.
const FIELD: f32 = 380.0;
/// Where its centre is: the couch stays in view.
const CENTRE: (f32, f32) = (0.0, 24.0);
/// From the first slice to the last.
const TOP: f32 = 112.0;
const BOTTOM: f32 = -123.0;

/// A rendered image and what its plane is.
struct Image {
    series: u32,
    number: u32,
    rows: u16,
    columns: u16,
    /// Millimetres between rows, and between columns.
    pitch: (f32, f32),
    thickness: f32,
    position: [f32; 3],
    orientation: &'static str,
    image_type: &'static str,
    windows: [&'static str; 3],
    hu: Vec<f32>,
}

fn axial(settings: &PhantomSettings, body: &Body, number: u32) -> Image {
    let matrix = settings.matrix.clamp(32, 2048);
    let step = (TOP - BOTTOM) / (settings.slices.max(2) - 1) as f32;
    let z = TOP - (number - 1) as f32 * step;
    let mut canvas = Canvas::new(matrix as usize, FIELD, CENTRE, z);
    anatomy::paint(&mut canvas, body);
    noise::add_grain(&mut canvas.hu, matrix as usize, noise::hash(settings.seed, u64::from(number)), 11.0);
    let pitch = FIELD / matrix as f32;
    let corner = (FIELD - pitch) / 2.0;
    Image {
        series: 2,
        number,
        rows: matrix as u16,
        columns: matrix as u16,
        pitch: (pitch, pitch),
        thickness: step,
        position: [CENTRE.0 - corner, CENTRE.1 - corner, z],
        orientation: "1\\0\\0\\0\\1\\0",
        image_type: "ORIGINAL\\PRIMARY\\AXIAL",
        windows: ["50\\-550", "440\\1600", "MEDIASTINUM\\LUNG"],
        hu: canvas.hu,
    }
}

/// The projection from front to back that a technologist plans on.
fn localiser(settings: &PhantomSettings, body: &Body) -> Image {
    let columns = settings.matrix.clamp(32, 2048) as usize / 2;
    let rows = columns * 3 / 4;
    let pitch = FIELD / columns as f32;
    let top = 132.0;
    let mut hu = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        let mut canvas = Canvas::new(columns, FIELD, CENTRE, top - row as f32 * pitch);
        anatomy::paint(&mut canvas, body);
        let mut line = vec![0.0_f32; columns];
        for pixels in canvas.hu.chunks_exact(columns) {
            for (sum, pixel) in line.iter_mut().zip(pixels) {
                *sum += (pixel + 1000.0).max(0.0);
            }
        }
        // The mean along the ray over a trunk's depth, stretched as a scanner's console does.
        hu.extend(line.iter().map(|sum| sum * pitch / 215.0 * 1.5 - 1000.0));
    }
    noise::add_grain(&mut hu, columns, noise::hash(settings.seed, 0), 7.0);
    Image {
        series: 1,
        number: 1,
        rows: rows as u16,
        columns: columns as u16,
        pitch: (pitch, pitch),
        thickness: FIELD,
        position: [CENTRE.0 - (FIELD - pitch) / 2.0, CENTRE.1, top],
        orientation: "1\\0\\0\\0\\0\\-1",
        image_type: "ORIGINAL\\PRIMARY\\LOCALIZER",
        windows: ["-150", "1500", "SCOUT"],
        hu,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> PhantomSettings {
        PhantomSettings { slices: 3, matrix: 64, ..PhantomSettings::default() }
    }

    #[test]
    fn the_same_settings_give_the_same_bytes() {
        let digest = |settings: &PhantomSettings| {
            study(settings).map(|instance| crc32fast::hash(&instance.dataset)).collect::<Vec<_>>()
        };
        let first = digest(&small());
        assert_eq!(first.len(), 4);
        assert_eq!(first, digest(&small()));
        assert_ne!(first, digest(&PhantomSettings { seed: 2, ..small() }));
    }

    #[test]
    fn a_slice_holds_air_lung_fat_muscle_and_bone() {
        let settings = small();
        let body = Body { seed: 1, ribs: skeleton::ribs(), vessels: vessels::tree(1, 1.0) };
        let hu = axial(&settings, &body, 2).hu;
        for (what, range) in [
            ("air", -1040.0..-960.0),
            ("lung", -920.0..-760.0),
            ("fat", -140.0..-70.0),
            ("muscle", 20.0..100.0),
            ("blood with contrast", 200.0..340.0),
            ("cortical bone", 400.0..900.0),
        ] {
            let share = hu.iter().filter(|value| range.contains(*value)).count() as f32 / hu.len() as f32;
            assert!(share > 0.004, "{what}: {share}");
        }
    }

    #[test]
    fn the_study_is_named_beforehand() {
        let settings = small();
        let instance = study(&settings).last().unwrap();
        let uid = study_instance_uid(&settings);
        assert!(instance.dataset.windows(uid.as_str().len()).any(|bytes| bytes == uid.as_str().as_bytes()));
    }
}
