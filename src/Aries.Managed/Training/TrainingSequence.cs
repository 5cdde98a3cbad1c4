namespace Aries.Managed;

/// <summary>A prompt and its response as tokens.</summary>
/// <param name="Tokens">All tokens; empty where the sequence is not scored.</param>
/// <param name="ResponseStart">The index of the first response token.</param>
internal readonly record struct TrainingSequence(int[] Tokens, int ResponseStart)
{
    /// <summary>Gets the number of response tokens.</summary>
    public int ResponseLength => Tokens.Length - ResponseStart;
}
