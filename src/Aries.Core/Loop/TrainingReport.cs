namespace Aries;

/// <summary>A training of the loop.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record TrainingReport
{
    /// <summary>Gets the number of examples or pairs that were given.</summary>
    public int RowCount { get; init; }

    /// <summary>Gets how many of them the trainer could not use.</summary>
    public int DroppedRowCount { get; init; }

    /// <summary>Gets the number of optimiser steps.</summary>
    public int StepCount { get; init; }

    /// <summary>Gets means over the training, under the names that TRL uses.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Gets how long it took. Time before an interruption does not count.</summary>
    public TimeSpan Duration { get; init; }
}
