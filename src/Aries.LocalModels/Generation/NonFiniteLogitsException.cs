namespace Aries;

/// <summary>The model computed no distribution over the next token: its output holds NaN or +∞, or rules every token out.</summary>
/// <remarks>The weights are damaged or overflowed in training; no sampling option helps.</remarks>
public sealed class NonFiniteLogitsException : AriesException
{
    /// <summary>Creates the exception for a token that was to be drawn.</summary>
    /// <param name="tokenIndex">The index of the token in its response, from 0.</param>
    /// <param name="largestLogit">The largest logit: NaN, +∞ or −∞.</param>
    public NonFiniteLogitsException(int tokenIndex, float largestLogit)
        : base($"The largest logit was {largestLogit} at token {tokenIndex} of a response, so there is no distribution over that token. {Advice}")
    {
        TokenIndex = tokenIndex;
    }

    /// <summary>Creates the exception for responses that were to be scored.</summary>
    /// <param name="cause">What the network reported.</param>
    public NonFiniteLogitsException(NotFiniteNumberException cause)
        : base($"{cause?.Message} A response cannot be scored by it. {Advice}", cause)
    {
    }

    /// <summary>Gets the index of the token in its response, from 0; null where a pass over many failed.</summary>
    public int? TokenIndex { get; }

    private static string Advice => "The weights are damaged or diverged in training: load an earlier checkpoint.";
}
