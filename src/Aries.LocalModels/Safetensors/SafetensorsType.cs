namespace Aries;

/// <summary>The element types of the safetensors format.</summary>
internal enum SafetensorsType
{
    Float32,
    Float16,
    BFloat16,
    Float64,

    /// <summary>A type of the format that holds no weights: integers, Booleans, 8-bit floats.</summary>
    Other,
}
