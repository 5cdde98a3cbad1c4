using Aries;

namespace StoryPreferences;

/// <summary>First sentences of stories, which the model goes on from.</summary>
internal static class StoryPrompts
{
    private static readonly string[] Names = ["Ben", "Lily", "Tom", "Mia", "Sam", "Sara", "Max", "Anna", "Tim", "Lucy", "Jack", "Sue", "Bob", "Amy", "Leo", "Zoe"];
    private static readonly string[] Heroes = ["boy", "girl", "dog", "cat", "bear", "bunny", "bird", "fox", "frog", "duck", "mouse", "lion"];
    private static readonly string[] Places = ["park", "forest", "garden", "beach", "farm", "lake", "store", "zoo"];

    /// <summary>Returns all of them, 1536, in an order that the seed gives.</summary>
    public static IReadOnlyList<Prompt> Shuffle(int seed)
    {
        Prompt[] prompts =
        [
            .. from name in Names
               from hero in Heroes
               from place in Places
               select new Prompt($"Once upon a time, there was a little {hero} named {name}. One day, {name} went to the {place}."),
        ];
        new Random(seed).Shuffle(prompts);
        return prompts;
    }
}
