using Aries.Preferences;

namespace Aries.Managed;

/// <summary>A preference pair as tokens. A supervised example is a row with a <see cref="PairSequence.Chosen"/> sequence alone.</summary>
/// <param name="Sequences">A sequence for each <see cref="PairSequence"/> that the loss scores.</param>
/// <param name="ChosenProbability">p̂.</param>
internal sealed record TrainingRow(TrainingSequence[] Sequences, double ChosenProbability)
{
    public TrainingSequence this[PairSequence sequence] => Sequences[(int)sequence];

    /// <summary>Gets the number of tokens of all its sequences.</summary>
    public int TokenCount { get; } = Sequences.Sum(sequence => sequence.Tokens.Length);
}
