namespace Aries;

/// <summary>The state of a training after one optimiser step.</summary>
/// <param name="Step">The number of steps done; from 1.</param>
/// <param name="StepCount">The number of steps in all.</param>
/// <param name="Metrics">Metrics under the names that TRL uses: <c>loss</c>, <c>grad_norm</c>, <c>learning_rate</c>, <c>rewards/chosen</c>, <c>rewards/accuracies</c>, <c>logps/chosen</c>, <c>num_tokens</c> and so on.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record TrainingProgress(int Step, int StepCount, IReadOnlyDictionary<string, double> Metrics);
