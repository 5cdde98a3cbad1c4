namespace Aries;

/// <summary>Derives the seed of each draft from the seed of a run, so that a draft does not depend on the batch that it is drawn in.</summary>
/// <remarks>
/// <code>
/// h    = FNV-1a-64 over the UTF-16 units of the key, low byte first
/// mix  = the finaliser of SplitMix64 (Steele, Lea and Flood 2014)
/// seed = mix(mix(mix(run ⊕ h) + step) + sample) without its sign bit
/// </code>
/// </remarks>
internal static class Seeds
{
    public static long Derive(long seed, string key, int stepIndex, int sampleIndex) =>
        (long)(Mix(Mix(Mix((ulong)seed ^ Hash(key)) + (ulong)stepIndex) + (ulong)sampleIndex) & long.MaxValue);

    /// <summary>Returns a text that is equal for equal prompts only.</summary>
    public static string KeyOf(Prompt prompt) => prompt.Count == 1
        ? prompt.Question
        : string.Join('\0', prompt.Select(turn => $"{(int)turn.Role}:{turn.Text.Length}:{turn.Text}"));

    private static ulong Hash(string key)
    {
        ulong hash = 0xcbf29ce484222325;
        foreach (char unit in key)
        {
            hash = (hash ^ (byte)unit) * 0x100000001b3;
            hash = (hash ^ (byte)(unit >> 8)) * 0x100000001b3;
        }

        return hash;
    }

    private static ulong Mix(ulong value)
    {
        value += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }
}
