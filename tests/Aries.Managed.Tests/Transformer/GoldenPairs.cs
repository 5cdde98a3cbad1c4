using System.Text.Json;

namespace Aries.Managed.Tests;

/// <summary>The preference pairs of a golden folder as token ids, and the sequences that losses score of them.</summary>
internal sealed class GoldenPairs
{
    /// <summary>The names of the sequences in the golden files, in the order of PairSequence.</summary>
    public static readonly string[] Names = ["w", "l", "w_given_l", "l_given_l", "l_given_w", "w_given_w"];

    private readonly JsonElement _pairs;
    private readonly JsonElement _template;

    public GoldenPairs(string folder)
    {
        JsonElement file = GoldenFiles.Json(folder, "pairs.json");
        _pairs = file.GetProperty("pairs");
        file.TryGetProperty("refine_template", out _template);
    }

    public int Count => _pairs.GetArrayLength();

    /// <summary>Gets a sequence's tokens and where its response starts.</summary>
    public (int[] Tokens, int ResponseStart) Sequence(int pair, string name)
    {
        int[] prompt = Ids(pair, "prompt");
        int[] response = name[0] == 'w' ? Ids(pair, "chosen") : Ids(pair, "rejected");
        if (name.Length > 1)
        {
            int[] previous = name.EndsWith('w') ? Ids(pair, "chosen") : Ids(pair, "rejected");
            prompt = [.. Part("prefix"), .. prompt[1..], .. Part("middle"), .. previous, .. Part("suffix")];
        }

        return ([.. prompt, .. response], prompt.Length);
    }

    public int[] Ids(int pair, string name) => _pairs[pair].GetProperty(name).Ints();

    private int[] Part(string name) => _template.GetProperty(name).Ints();
}
