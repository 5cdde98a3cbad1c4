namespace Aries;

/// <summary>What a training made.</summary>
/// <param name="Checkpoint">The trained weights.</param>
/// <param name="StepCount">The optimiser steps in all.</param>
/// <param name="Metrics">Means over the steps of the training, under the names of <see cref="TrainingProgress.Metrics"/>; of a running count, such as <c>num_tokens</c>, the last value.</param>
/// <param name="DroppedRowCount">Examples or pairs that could not be used (empty after truncation, say) and were left out.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record TrainingResult(PolicyCheckpoint Checkpoint, int StepCount, IReadOnlyDictionary<string, double> Metrics, int DroppedRowCount);
