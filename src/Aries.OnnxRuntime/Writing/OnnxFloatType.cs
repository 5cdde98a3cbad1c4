namespace Aries.OnnxRuntime;

/// <summary>The type that a written model stores its floats in and computes in. Logits are float32 whatever it is.</summary>
public enum OnnxFloatType
{
    /// <summary>32 bits: what the processor computes fastest and most exactly.</summary>
#pragma warning disable CA1720 // The members name types: that is what they mean.
    Float32 = 0,
#pragma warning restore CA1720

    /// <summary>IEEE half precision, for GPUs; ONNX Runtime's processor kernels convert it to float32 and back.</summary>
    Float16,

    /// <summary>16 bits with the range of float32, for GPUs of the Ampere generation and later; ONNX Runtime's processor kernels do not compute in it.</summary>
    BFloat16,
}
