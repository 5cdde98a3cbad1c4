namespace Aries.Managed;

/// <summary>How a model that only generates and scores keeps the weights of its projections, embedding and head in memory.</summary>
/// <remarks>
/// Decoding a few responses reads every weight for every token, so fewer bytes a weight are more tokens a second. Activations, norms, biases, adapters,
/// keys and values stay float32 always, and so do all sums: a weight is widened when it is read.
/// </remarks>
#pragma warning disable CA1720 // The members name types: that is what they mean.
public enum WeightStorage
{
    /// <summary>Four bytes a weight: exactly what the checkpoint holds.</summary>
    Float32 = 0,

    /// <summary>Two bytes a weight, rounded to the nearest even; exact where the checkpoint is BF16 itself.</summary>
    BFloat16,

    /// <summary>
    /// One byte a weight, and a float32 scale for every 64 weights of an output: w = q · scale, q from −127 to 127, scale = max |w| ÷ 127.
    /// About 1.06 bytes a weight.
    /// </summary>
    Int8,
}
#pragma warning restore CA1720
