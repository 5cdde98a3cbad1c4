namespace Aries.Managed;

/// <summary>How the numbers of saved weights are stored.</summary>
internal enum WeightType
{
    /// <summary>32 bits: exactly what the engine computes with.</summary>
#pragma warning disable CA1720 // The members name types: that is what they mean.
    Float32 = 0,
#pragma warning restore CA1720

    /// <summary>16 bits with the range of float32 and 8 bits of precision, rounded to the nearest even.</summary>
    BFloat16,

    /// <summary>IEEE half precision, rounded to the nearest even; values beyond ±65504 cannot be stored.</summary>
    Float16,
}
