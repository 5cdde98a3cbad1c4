namespace Aries.Managed;

/// <summary>The model computed no distribution over the next token: its logits hold NaN or +∞, or rule every token out.</summary>
/// <remarks>The weights are damaged or overflowed in training; no sampling option helps.</remarks>
public sealed class NonFiniteLogitsException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="tokenIndex">The index of the token in its response, from 0.</param>
    /// <param name="largestLogit">The largest logit: NaN, +∞ or −∞.</param>
    public NonFiniteLogitsException(int tokenIndex, float largestLogit)
        : base($"The largest logit was {largestLogit} at token {tokenIndex} of a response, so there is no distribution to draw from. The weights are damaged or diverged in training: load an earlier checkpoint.")
    {
        (TokenIndex, LargestLogit) = (tokenIndex, largestLogit);
    }

    /// <summary>Gets the index of the token in its response, from 0.</summary>
    public int TokenIndex { get; }

    /// <summary>Gets the largest logit: NaN, +∞ or −∞.</summary>
    public float LargestLogit { get; }
}
