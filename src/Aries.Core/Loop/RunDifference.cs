namespace Aries;

/// <summary>One thing that differs between a run folder and the loop that is to go on in it.</summary>
/// <param name="Key">What differs, as <c>run.json</c> names it.</param>
/// <param name="Expected">What the folder was made with; null where it has no such key.</param>
/// <param name="Actual">What the loop has now; null where it has no such key.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record RunDifference(string Key, string? Expected, string? Actual);
