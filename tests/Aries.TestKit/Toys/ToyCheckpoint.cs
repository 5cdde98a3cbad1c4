using System.Globalization;

namespace Aries.TestKit;

/// <summary>The weights of a toy policy: one number in a file <c>weights.txt</c>.</summary>
public static class ToyCheckpoint
{
    /// <summary>Writes a checkpoint folder, which appears whole or not at all.</summary>
    public static PolicyCheckpoint Write(string folder, ulong weights)
    {
        string aside = folder + ".partial";
        if (Directory.Exists(aside))
        {
            Directory.Delete(aside, recursive: true);
        }

        Directory.CreateDirectory(aside);
        File.WriteAllText(Path.Combine(aside, "weights.txt"), weights.ToString(CultureInfo.InvariantCulture) + "\n");
        Directory.Move(aside, folder);
        return new PolicyCheckpoint(folder);
    }

    /// <summary>Reads the weights of a checkpoint.</summary>
    public static ulong Read(PolicyCheckpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return ulong.Parse(File.ReadAllText(Path.Combine(checkpoint.ModelPath, "weights.txt")), CultureInfo.InvariantCulture);
    }

    /// <summary>Stirs a text into a number; equal on every machine.</summary>
    public static ulong Mix(ulong value, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (char unit in text)
        {
            value = Mix(value ^ unit);
        }

        return Mix(value + (ulong)text.Length);
    }

    /// <summary>Stirs a number.</summary>
    public static ulong Mix(ulong value)
    {
        value += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        return value ^ (value >> 29);
    }
}
