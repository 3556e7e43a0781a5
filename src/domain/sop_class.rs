//! Storage SOP Classes (PS3.4 Annex B, PS3.6 Annex A): which abstract syntaxes name something that can
//! be stored.

use super::uid::SopClassUid;

/// Verification (PS3.4 Annex A).
pub const VERIFICATION: &str = "1.2.840.10008.1.1";

/// What a SOP Class UID stands for, as far as storing is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SopClassKind {
    Verification,
    /// A Storage SOP Class of the current standard.
    Storage,
    /// A Storage SOP Class that the standard has retired; old devices still send it.
    RetiredStorage,
    /// Private, or of an edition of the standard newer than our table: storable where the peer may.
    Unknown,
    /// A class of the standard that is no storage class: query, print, worklist, ...
    NotStorage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Current,
    Retired,
}

/// Everything below this root is a composite storage class, except [`NOT_STORAGE`].
const STORAGE_ROOT: &str = "1.2.840.10008.5.1.4.1.1.";
const DICOM_ROOT: &str = "1.2.840.10008.";
/// Protocol Approval and Inventory query, retrieve and creation, and Repository Query.
const NOT_STORAGE: &[&str] = &[
    "1.2.840.10008.5.1.4.1.1.200.4",
    "1.2.840.10008.5.1.4.1.1.200.5",
    "1.2.840.10008.5.1.4.1.1.200.6",
    "1.2.840.10008.5.1.4.1.1.201.2",
    "1.2.840.10008.5.1.4.1.1.201.3",
    "1.2.840.10008.5.1.4.1.1.201.4",
    "1.2.840.10008.5.1.4.1.1.201.5",
    "1.2.840.10008.5.1.4.1.1.201.6",
];

/// What `uid` stands for. A class of the standard outside the storage root that is not in our table
/// counts as no storage class: a new query or management service must not be mistaken for storage.
pub fn kind(uid: &SopClassUid) -> SopClassKind {
    let uid = uid.as_str();
    if uid == VERIFICATION {
        return SopClassKind::Verification;
    }
    match STORAGE.binary_search_by(|(listed, _, _)| (*listed).cmp(uid)).ok().and_then(|index| STORAGE.get(index)) {
        Some((_, Standing::Current, _)) => SopClassKind::Storage,
        Some((_, Standing::Retired, _)) => SopClassKind::RetiredStorage,
        None if NOT_STORAGE.contains(&uid) => SopClassKind::NotStorage,
        None if uid.starts_with(STORAGE_ROOT) || !uid.starts_with(DICOM_ROOT) => SopClassKind::Unknown,
        None => SopClassKind::NotStorage,
    }
}

/// The name of a Storage SOP Class in PS3.6.
pub fn name(uid: &SopClassUid) -> Option<&'static str> {
    let index = STORAGE.binary_search_by(|(listed, _, _)| (*listed).cmp(uid.as_str())).ok()?;
    STORAGE.get(index).map(|(_, _, name)| *name)
}

macro_rules! storage {
    ($($uid:literal $standing:ident $name:literal;)*) => {
        /// Sorted by UID as text, for the binary search.
        static STORAGE: &[(&str, Standing, &str)] = &[$(($uid, Standing::$standing, $name)),*];
    };
}

storage! {
    "1.2.840.10008.5.1.1.27" Retired "Stored Print Storage";
    "1.2.840.10008.5.1.1.29" Retired "Hardcopy Grayscale Image Storage";
    "1.2.840.10008.5.1.1.30" Retired "Hardcopy Color Image Storage";
    "1.2.840.10008.5.1.4.1.1.1" Current "Computed Radiography Image Storage";
    "1.2.840.10008.5.1.4.1.1.1.1" Current "Digital X-Ray Image Storage - For Presentation";
    "1.2.840.10008.5.1.4.1.1.1.1.1" Current "Digital X-Ray Image Storage - For Processing";
    "1.2.840.10008.5.1.4.1.1.1.2" Current "Digital Mammography X-Ray Image Storage - For Presentation";
    "1.2.840.10008.5.1.4.1.1.1.2.1" Current "Digital Mammography X-Ray Image Storage - For Processing";
    "1.2.840.10008.5.1.4.1.1.1.3" Current "Digital Intra-Oral X-Ray Image Storage - For Presentation";
    "1.2.840.10008.5.1.4.1.1.1.3.1" Current "Digital Intra-Oral X-Ray Image Storage - For Processing";
    "1.2.840.10008.5.1.4.1.1.10" Retired "Standalone Modality LUT Storage";
    "1.2.840.10008.5.1.4.1.1.104.1" Current "Encapsulated PDF Storage";
    "1.2.840.10008.5.1.4.1.1.104.2" Current "Encapsulated CDA Storage";
    "1.2.840.10008.5.1.4.1.1.104.3" Current "Encapsulated STL Storage";
    "1.2.840.10008.5.1.4.1.1.104.4" Current "Encapsulated OBJ Storage";
    "1.2.840.10008.5.1.4.1.1.104.5" Current "Encapsulated MTL Storage";
    "1.2.840.10008.5.1.4.1.1.11" Retired "Standalone VOI LUT Storage";
    "1.2.840.10008.5.1.4.1.1.11.1" Current "Grayscale Softcopy Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.10" Current "Segmented Volume Rendering Volumetric Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.11" Current "Multiple Volume Rendering Volumetric Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.12" Current "Variable Modality LUT Softcopy Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.2" Current "Color Softcopy Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.3" Current "Pseudo-Color Softcopy Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.4" Current "Blending Softcopy Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.5" Current "XA/XRF Grayscale Softcopy Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.6" Current "Grayscale Planar MPR Volumetric Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.7" Current "Compositing Planar MPR Volumetric Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.8" Current "Advanced Blending Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.11.9" Current "Volume Rendering Volumetric Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.12.1" Current "X-Ray Angiographic Image Storage";
    "1.2.840.10008.5.1.4.1.1.12.1.1" Current "Enhanced XA Image Storage";
    "1.2.840.10008.5.1.4.1.1.12.2" Current "X-Ray Radiofluoroscopic Image Storage";
    "1.2.840.10008.5.1.4.1.1.12.2.1" Current "Enhanced XRF Image Storage";
    "1.2.840.10008.5.1.4.1.1.12.3" Retired "X-Ray Angiographic Bi-Plane Image Storage";
    "1.2.840.10008.5.1.4.1.1.128" Current "Positron Emission Tomography Image Storage";
    "1.2.840.10008.5.1.4.1.1.128.1" Current "Legacy Converted Enhanced PET Image Storage";
    "1.2.840.10008.5.1.4.1.1.129" Retired "Standalone PET Curve Storage";
    "1.2.840.10008.5.1.4.1.1.13.1.1" Current "X-Ray 3D Angiographic Image Storage";
    "1.2.840.10008.5.1.4.1.1.13.1.2" Current "X-Ray 3D Craniofacial Image Storage";
    "1.2.840.10008.5.1.4.1.1.13.1.3" Current "Breast Tomosynthesis Image Storage";
    "1.2.840.10008.5.1.4.1.1.13.1.4" Current "Breast Projection X-Ray Image Storage - For Presentation";
    "1.2.840.10008.5.1.4.1.1.13.1.5" Current "Breast Projection X-Ray Image Storage - For Processing";
    "1.2.840.10008.5.1.4.1.1.130" Current "Enhanced PET Image Storage";
    "1.2.840.10008.5.1.4.1.1.131" Current "Basic Structured Display Storage";
    "1.2.840.10008.5.1.4.1.1.14.1" Current "Intravascular Optical Coherence Tomography Image Storage - For Presentation";
    "1.2.840.10008.5.1.4.1.1.14.2" Current "Intravascular Optical Coherence Tomography Image Storage - For Processing";
    "1.2.840.10008.5.1.4.1.1.2" Current "CT Image Storage";
    "1.2.840.10008.5.1.4.1.1.2.1" Current "Enhanced CT Image Storage";
    "1.2.840.10008.5.1.4.1.1.2.2" Current "Legacy Converted Enhanced CT Image Storage";
    "1.2.840.10008.5.1.4.1.1.2.3" Current "CT Image Storage - For Processing";
    "1.2.840.10008.5.1.4.1.1.2.4" Current "Enhanced CT Image Storage - For Processing";
    "1.2.840.10008.5.1.4.1.1.2.5" Current "Legacy Converted Enhanced CT Image Storage - For Processing";
    "1.2.840.10008.5.1.4.1.1.20" Current "Nuclear Medicine Image Storage";
    "1.2.840.10008.5.1.4.1.1.200.1" Current "CT Defined Procedure Protocol Storage";
    "1.2.840.10008.5.1.4.1.1.200.2" Current "CT Performed Procedure Protocol Storage";
    "1.2.840.10008.5.1.4.1.1.200.3" Current "Protocol Approval Storage";
    "1.2.840.10008.5.1.4.1.1.200.7" Current "XA Defined Procedure Protocol Storage";
    "1.2.840.10008.5.1.4.1.1.200.8" Current "XA Performed Procedure Protocol Storage";
    "1.2.840.10008.5.1.4.1.1.201.1" Current "Inventory Storage";
    "1.2.840.10008.5.1.4.1.1.3" Retired "Ultrasound Multi-frame Image Storage";
    "1.2.840.10008.5.1.4.1.1.3.1" Current "Ultrasound Multi-frame Image Storage";
    "1.2.840.10008.5.1.4.1.1.30" Current "Parametric Map Storage";
    "1.2.840.10008.5.1.4.1.1.4" Current "MR Image Storage";
    "1.2.840.10008.5.1.4.1.1.4.1" Current "Enhanced MR Image Storage";
    "1.2.840.10008.5.1.4.1.1.4.2" Current "MR Spectroscopy Storage";
    "1.2.840.10008.5.1.4.1.1.4.3" Current "Enhanced MR Color Image Storage";
    "1.2.840.10008.5.1.4.1.1.4.4" Current "Legacy Converted Enhanced MR Image Storage";
    "1.2.840.10008.5.1.4.1.1.481.1" Current "RT Image Storage";
    "1.2.840.10008.5.1.4.1.1.481.10" Current "RT Physician Intent Storage";
    "1.2.840.10008.5.1.4.1.1.481.11" Current "RT Segment Annotation Storage";
    "1.2.840.10008.5.1.4.1.1.481.12" Current "RT Radiation Set Storage";
    "1.2.840.10008.5.1.4.1.1.481.13" Current "C-Arm Photon-Electron Radiation Storage";
    "1.2.840.10008.5.1.4.1.1.481.14" Current "Tomotherapeutic Radiation Storage";
    "1.2.840.10008.5.1.4.1.1.481.15" Current "Robotic-Arm Radiation Storage";
    "1.2.840.10008.5.1.4.1.1.481.16" Current "RT Radiation Record Set Storage";
    "1.2.840.10008.5.1.4.1.1.481.17" Current "RT Radiation Salvage Record Storage";
    "1.2.840.10008.5.1.4.1.1.481.18" Current "Tomotherapeutic Radiation Record Storage";
    "1.2.840.10008.5.1.4.1.1.481.19" Current "C-Arm Photon-Electron Radiation Record Storage";
    "1.2.840.10008.5.1.4.1.1.481.2" Current "RT Dose Storage";
    "1.2.840.10008.5.1.4.1.1.481.20" Current "Robotic Radiation Record Storage";
    "1.2.840.10008.5.1.4.1.1.481.21" Current "RT Radiation Set Delivery Instruction Storage";
    "1.2.840.10008.5.1.4.1.1.481.22" Current "RT Treatment Preparation Storage";
    "1.2.840.10008.5.1.4.1.1.481.23" Current "Enhanced RT Image Storage";
    "1.2.840.10008.5.1.4.1.1.481.24" Current "Enhanced Continuous RT Image Storage";
    "1.2.840.10008.5.1.4.1.1.481.25" Current "RT Patient Position Acquisition Instruction Storage";
    "1.2.840.10008.5.1.4.1.1.481.3" Current "RT Structure Set Storage";
    "1.2.840.10008.5.1.4.1.1.481.4" Current "RT Beams Treatment Record Storage";
    "1.2.840.10008.5.1.4.1.1.481.5" Current "RT Plan Storage";
    "1.2.840.10008.5.1.4.1.1.481.6" Current "RT Brachy Treatment Record Storage";
    "1.2.840.10008.5.1.4.1.1.481.7" Current "RT Treatment Summary Record Storage";
    "1.2.840.10008.5.1.4.1.1.481.8" Current "RT Ion Plan Storage";
    "1.2.840.10008.5.1.4.1.1.481.9" Current "RT Ion Beams Treatment Record Storage";
    "1.2.840.10008.5.1.4.1.1.5" Retired "Nuclear Medicine Image Storage";
    "1.2.840.10008.5.1.4.1.1.501.1" Current "DICOS CT Image Storage";
    "1.2.840.10008.5.1.4.1.1.501.2.1" Current "DICOS Digital X-Ray Image Storage - For Presentation";
    "1.2.840.10008.5.1.4.1.1.501.2.2" Current "DICOS Digital X-Ray Image Storage - For Processing";
    "1.2.840.10008.5.1.4.1.1.501.3" Current "DICOS Threat Detection Report Storage";
    "1.2.840.10008.5.1.4.1.1.501.4" Current "DICOS 2D AIT Storage";
    "1.2.840.10008.5.1.4.1.1.501.5" Current "DICOS 3D AIT Storage";
    "1.2.840.10008.5.1.4.1.1.501.6" Current "DICOS Quadrupole Resonance (QR) Storage";
    "1.2.840.10008.5.1.4.1.1.6" Retired "Ultrasound Image Storage";
    "1.2.840.10008.5.1.4.1.1.6.1" Current "Ultrasound Image Storage";
    "1.2.840.10008.5.1.4.1.1.6.2" Current "Enhanced US Volume Storage";
    "1.2.840.10008.5.1.4.1.1.6.3" Current "Photoacoustic Image Storage";
    "1.2.840.10008.5.1.4.1.1.601.1" Current "Eddy Current Image Storage";
    "1.2.840.10008.5.1.4.1.1.601.2" Current "Eddy Current Multi-frame Image Storage";
    "1.2.840.10008.5.1.4.1.1.601.3" Current "Thermography Image Storage";
    "1.2.840.10008.5.1.4.1.1.601.4" Current "Thermography Multi-frame Image Storage";
    "1.2.840.10008.5.1.4.1.1.601.5" Current "Ultrasound Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.66" Current "Raw Data Storage";
    "1.2.840.10008.5.1.4.1.1.66.1" Current "Spatial Registration Storage";
    "1.2.840.10008.5.1.4.1.1.66.2" Current "Spatial Fiducials Storage";
    "1.2.840.10008.5.1.4.1.1.66.3" Current "Deformable Spatial Registration Storage";
    "1.2.840.10008.5.1.4.1.1.66.4" Current "Segmentation Storage";
    "1.2.840.10008.5.1.4.1.1.66.5" Current "Surface Segmentation Storage";
    "1.2.840.10008.5.1.4.1.1.66.6" Current "Tractography Results Storage";
    "1.2.840.10008.5.1.4.1.1.66.7" Current "Label Map Segmentation Storage";
    "1.2.840.10008.5.1.4.1.1.66.8" Current "Height Map Segmentation Storage";
    "1.2.840.10008.5.1.4.1.1.67" Current "Real World Value Mapping Storage";
    "1.2.840.10008.5.1.4.1.1.68.1" Current "Surface Scan Mesh Storage";
    "1.2.840.10008.5.1.4.1.1.68.2" Current "Surface Scan Point Cloud Storage";
    "1.2.840.10008.5.1.4.1.1.7" Current "Secondary Capture Image Storage";
    "1.2.840.10008.5.1.4.1.1.7.1" Current "Multi-frame Single Bit Secondary Capture Image Storage";
    "1.2.840.10008.5.1.4.1.1.7.2" Current "Multi-frame Grayscale Byte Secondary Capture Image Storage";
    "1.2.840.10008.5.1.4.1.1.7.3" Current "Multi-frame Grayscale Word Secondary Capture Image Storage";
    "1.2.840.10008.5.1.4.1.1.7.4" Current "Multi-frame True Color Secondary Capture Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1" Retired "VL Image Storage - Trial";
    "1.2.840.10008.5.1.4.1.1.77.1.1" Current "VL Endoscopic Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.1.1" Current "Video Endoscopic Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.2" Current "VL Microscopic Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.2.1" Current "Video Microscopic Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.3" Current "VL Slide-Coordinates Microscopic Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.4" Current "VL Photographic Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.4.1" Current "Video Photographic Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.5.1" Current "Ophthalmic Photography 8 Bit Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.5.2" Current "Ophthalmic Photography 16 Bit Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.5.3" Current "Stereometric Relationship Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.5.4" Current "Ophthalmic Tomography Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.5.5" Current "Wide Field Ophthalmic Photography Stereographic Projection Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.5.6" Current "Wide Field Ophthalmic Photography 3D Coordinates Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.5.7" Current "Ophthalmic Optical Coherence Tomography En Face Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.5.8" Current "Ophthalmic Optical Coherence Tomography B-scan Volume Analysis Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.6" Current "VL Whole Slide Microscopy Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.7" Current "Dermoscopic Photography Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.8" Current "Confocal Microscopy Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.1.9" Current "Confocal Microscopy Tiled Pyramidal Image Storage";
    "1.2.840.10008.5.1.4.1.1.77.2" Retired "VL Multi-frame Image Storage - Trial";
    "1.2.840.10008.5.1.4.1.1.78.1" Current "Lensometry Measurements Storage";
    "1.2.840.10008.5.1.4.1.1.78.2" Current "Autorefraction Measurements Storage";
    "1.2.840.10008.5.1.4.1.1.78.3" Current "Keratometry Measurements Storage";
    "1.2.840.10008.5.1.4.1.1.78.4" Current "Subjective Refraction Measurements Storage";
    "1.2.840.10008.5.1.4.1.1.78.5" Current "Visual Acuity Measurements Storage";
    "1.2.840.10008.5.1.4.1.1.78.6" Current "Spectacle Prescription Report Storage";
    "1.2.840.10008.5.1.4.1.1.78.7" Current "Ophthalmic Axial Measurements Storage";
    "1.2.840.10008.5.1.4.1.1.78.8" Current "Intraocular Lens Calculations Storage";
    "1.2.840.10008.5.1.4.1.1.79.1" Current "Macular Grid Thickness and Volume Report Storage";
    "1.2.840.10008.5.1.4.1.1.8" Retired "Standalone Overlay Storage";
    "1.2.840.10008.5.1.4.1.1.80.1" Current "Ophthalmic Visual Field Static Perimetry Measurements Storage";
    "1.2.840.10008.5.1.4.1.1.81.1" Current "Ophthalmic Thickness Map Storage";
    "1.2.840.10008.5.1.4.1.1.82.1" Current "Corneal Topography Map Storage";
    "1.2.840.10008.5.1.4.1.1.88.1" Retired "Text SR Storage - Trial";
    "1.2.840.10008.5.1.4.1.1.88.11" Current "Basic Text SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.2" Retired "Audio SR Storage - Trial";
    "1.2.840.10008.5.1.4.1.1.88.22" Current "Enhanced SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.3" Retired "Detail SR Storage - Trial";
    "1.2.840.10008.5.1.4.1.1.88.33" Current "Comprehensive SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.34" Current "Comprehensive 3D SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.35" Current "Extensible SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.4" Retired "Comprehensive SR Storage - Trial";
    "1.2.840.10008.5.1.4.1.1.88.40" Current "Procedure Log Storage";
    "1.2.840.10008.5.1.4.1.1.88.50" Current "Mammography CAD SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.59" Current "Key Object Selection Document Storage";
    "1.2.840.10008.5.1.4.1.1.88.65" Current "Chest CAD SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.67" Current "X-Ray Radiation Dose SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.68" Current "Radiopharmaceutical Radiation Dose SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.69" Current "Colon CAD SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.70" Current "Implantation Plan SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.71" Current "Acquisition Context SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.72" Current "Simplified Adult Echo SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.73" Current "Patient Radiation Dose SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.74" Current "Planned Imaging Agent Administration SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.75" Current "Performed Imaging Agent Administration SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.76" Current "Enhanced X-Ray Radiation Dose SR Storage";
    "1.2.840.10008.5.1.4.1.1.88.77" Current "Waveform Annotation SR Storage";
    "1.2.840.10008.5.1.4.1.1.9" Retired "Standalone Curve Storage";
    "1.2.840.10008.5.1.4.1.1.9.1" Retired "Waveform Storage - Trial";
    "1.2.840.10008.5.1.4.1.1.9.1.1" Current "12-lead ECG Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.1.2" Current "General ECG Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.1.3" Current "Ambulatory ECG Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.1.4" Current "General 32-bit ECG Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.100.1" Current "Waveform Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.9.100.2" Current "Waveform Acquisition Presentation State Storage";
    "1.2.840.10008.5.1.4.1.1.9.2.1" Current "Hemodynamic Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.3.1" Current "Cardiac Electrophysiology Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.4.1" Current "Basic Voice Audio Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.4.2" Current "General Audio Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.5.1" Current "Arterial Pulse Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.6.1" Current "Respiratory Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.6.2" Current "Multi-channel Respiratory Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.7.1" Current "Routine Scalp Electroencephalogram Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.7.2" Current "Electromyogram Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.7.3" Current "Electrooculogram Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.7.4" Current "Sleep Electroencephalogram Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.9.8.1" Current "Body Position Waveform Storage";
    "1.2.840.10008.5.1.4.1.1.90.1" Current "Content Assessment Results Storage";
    "1.2.840.10008.5.1.4.1.1.91.1" Current "Microscopy Bulk Simple Annotations Storage";
    "1.2.840.10008.5.1.4.34.1" Retired "RT Beams Delivery Instruction Storage - Trial";
    "1.2.840.10008.5.1.4.34.10" Current "RT Brachy Application Setup Delivery Instruction Storage";
    "1.2.840.10008.5.1.4.34.7" Current "RT Beams Delivery Instruction Storage";
    "1.2.840.10008.5.1.4.38.1" Current "Hanging Protocol Storage";
    "1.2.840.10008.5.1.4.39.1" Current "Color Palette Storage";
    "1.2.840.10008.5.1.4.43.1" Current "Generic Implant Template Storage";
    "1.2.840.10008.5.1.4.44.1" Current "Implant Assembly Template Storage";
    "1.2.840.10008.5.1.4.45.1" Current "Implant Template Group Storage";
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_core::dictionary::UidDictionary;
    use dicom_dictionary_std::StandardSopClassDictionary;

    fn kind_of(uid: &str) -> SopClassKind {
        kind(&SopClassUid::parse(uid).unwrap())
    }

    #[test]
    fn the_table_is_sorted_and_agrees_with_the_dictionary() {
        assert!(STORAGE.is_sorted_by(|a, b| a.0 < b.0));
        for (uid, standing, name) in STORAGE {
            let entry = StandardSopClassDictionary.by_uid(uid).unwrap_or_else(|| panic!("{uid}"));
            assert_eq!(entry.retired, *standing == Standing::Retired, "{uid}");
            assert!(entry.name.starts_with(name), "{uid}");
        }
        let current = STORAGE.iter().filter(|(_, standing, _)| *standing == Standing::Current).count();
        assert_eq!((STORAGE.len(), current), (214, 194));
    }

    #[test]
    fn only_storage_classes_are_storage() {
        let cases = [
            ("1.2.840.10008.1.1", SopClassKind::Verification),
            ("1.2.840.10008.5.1.4.1.1.2", SopClassKind::Storage),
            ("1.2.840.10008.5.1.4.1.1.2.1", SopClassKind::Storage),
            ("1.2.840.10008.5.1.4.1.1.104.1", SopClassKind::Storage),
            ("1.2.840.10008.5.1.4.1.1.201.1", SopClassKind::Storage),
            ("1.2.840.10008.5.1.4.38.1", SopClassKind::Storage),
            ("1.2.840.10008.5.1.4.1.1.6", SopClassKind::RetiredStorage),
            ("1.2.840.10008.5.1.1.29", SopClassKind::RetiredStorage),
            // Private (Philips, Siemens), and below the root of standard storage but unknown to us.
            ("1.3.46.670589.11.0.0.12.1", SopClassKind::Unknown),
            ("1.2.840.10008.5.1.4.1.1.9999", SopClassKind::Unknown),
            // Query/retrieve, worklist, MPPS, commitment, print, UPS, media directory, inventory.
            ("1.2.840.10008.5.1.4.1.2.2.1", SopClassKind::NotStorage),
            ("1.2.840.10008.5.1.4.31", SopClassKind::NotStorage),
            ("1.2.840.10008.3.1.2.3.3", SopClassKind::NotStorage),
            ("1.2.840.10008.1.20.1", SopClassKind::NotStorage),
            ("1.2.840.10008.5.1.1.9", SopClassKind::NotStorage),
            ("1.2.840.10008.5.1.4.34.6.1", SopClassKind::NotStorage),
            ("1.2.840.10008.1.3.10", SopClassKind::NotStorage),
            ("1.2.840.10008.5.1.4.1.1.201.5", SopClassKind::NotStorage),
        ];
        for (uid, expected) in cases {
            assert_eq!(kind_of(uid), expected, "{uid}");
        }
    }
}
