namespace Aries.Managed;

/// <summary>Memory that products ask for while they compute, two cache lines a step, because it is read next.</summary>
/// <param name="start">Its beginning.</param>
/// <param name="bytes">Its length; 0 for none.</param>
internal readonly unsafe struct NextRead(byte* start, nint bytes)
{
    /// <summary>The bytes that a step asks for.</summary>
    public const int StepBytes = 2 * CacheLine.Bytes;

    public byte* Start { get; } = start;

    /// <summary>Returns whether there is enough for a product of so many steps.</summary>
    public bool HasSteps(nint steps) => bytes >= steps * StepBytes;

    /// <summary>Returns what is left after a product of so many steps.</summary>
    public NextRead After(nint steps) => HasSteps(steps) ? new NextRead(Start + (steps * StepBytes), bytes - (steps * StepBytes)) : default;
}
